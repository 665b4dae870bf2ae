import { HostError } from "../errors.js";
import type { FileSystem } from "../io/file-system.js";
import { readNamedFile } from "../io/read-file.js";
import { limits } from "../limits.js";
import { loadAge } from "./age-library.js";

/** Who can decrypt a file. At least one recipient. */
export interface Recipients {
  /** age1... or age1pq1..., sorted, each once. Not secret. */
  readonly list: readonly string[];
  /** Whether the recipients are post-quantum. */
  readonly postQuantum: boolean;
}

// The data part of bech32 has no "1": what follows a second one belongs to a type with a longer name.
const x25519Form = /^age1[02-9ac-hj-np-z]+$/;
const hybridForm = /^age1pq1[02-9ac-hj-np-z]+$/;

/**
 * Parses recipients, one per line. Empty lines and lines that begin with # are ignored. Throws
 * RECIPIENT_INVALID; the message has the number of the line and no part of its text, which may be a
 * secret by mistake.
 *
 * @param where Where the text is from, for errors.
 */
export async function parseRecipients(text: string, where = "the recipients"): Promise<Recipients> {
  const invalid = (why: string) => new HostError("RECIPIENT_INVALID", `In ${where}: ${why}`);
  if (Buffer.byteLength(text) > limits.ageRecipientsBytes)
    throw invalid(`the text exceeds ${limits.ageRecipientsBytes} bytes.`);
  const { Encrypter } = await loadAge();
  const found = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    const recipient = line.trim();
    if (recipient === "" || recipient.startsWith("#")) continue;
    const problem = problemOf(recipient);
    if (problem !== undefined) throw invalid(`line ${index + 1} ${problem}`);
    try {
      new Encrypter().addRecipient(recipient);
    } catch {
      throw invalid(
        `line ${index + 1} is not a valid recipient: its checksum or length is wrong. Copy it again.`,
      );
    }
    found.add(recipient);
    if (found.size > limits.ageRecipients)
      throw invalid(`more than ${limits.ageRecipients} recipients. Remove some.`);
  }
  const list = [...found].sort();
  if (list.length === 0) throw invalid("no recipient. Add a line such as age1...");
  const hybrid = list.filter((recipient) => hybridForm.test(recipient)).length;
  // As age itself: the file would be only as safe as its weakest recipient.
  if (hybrid > 0 && hybrid < list.length)
    throw invalid(
      "post-quantum recipients (age1pq1...) cannot be combined with others. Use one kind.",
    );
  return { list, postQuantum: hybrid > 0 };
}

/**
 * Reads a file of recipients as parseRecipients does. Throws RECIPIENT_INVALID, also if it cannot be
 * read.
 */
export async function readRecipientsFile(
  files: Pick<FileSystem, "openToRead">,
  path: string,
): Promise<Recipients> {
  const bytes = await readNamedFile(files, path, {
    reason: "RECIPIENT_INVALID",
    what: "recipients file",
    maxBytes: limits.ageRecipientsBytes,
  });
  return parseRecipients(bytes.toString("utf8"), `the recipients file ${path}`);
}

function problemOf(recipient: string): string | undefined {
  if (x25519Form.test(recipient) || hybridForm.test(recipient)) return undefined;
  if (/^AGE-SECRET-KEY-/i.test(recipient))
    return "is an identity, which is secret. Replace it by its recipient (the public key in its file), and generate a new identity if others could read the file.";
  if (/^(ssh-|ecdsa-|sk-)/.test(recipient))
    return "is an SSH key, which is not supported. Use a recipient of age-keygen.";
  if (/^age1[^1]+1/.test(recipient))
    return "is a recipient of a plugin, which is not supported. Use a recipient of age-keygen.";
  return "is not a recipient. Use age1... or age1pq1..., one per line.";
}
