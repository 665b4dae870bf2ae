import { HostError } from "../errors.js";
import type { FileSystem } from "../io/file-system.js";
import { readNamedFile } from "../io/read-file.js";
import { limits } from "../limits.js";
import { decodePublicKey, keyType } from "./public-key.js";
import { decodeBase64 } from "./wire.js";

/** A line of a list of trusted signers. */
export interface TrustedSigner {
  /** Patterns of the names for which the key may sign, with * and ?; ! excludes a name. */
  readonly principals: readonly string[];
  /** Encoded public key. */
  readonly publicKey: Buffer;
  /** Patterns of the namespaces in which the key may sign. Undefined: all. */
  readonly namespaces: readonly string[] | undefined;
  /** Milliseconds since 1970. Undefined: no limit. */
  readonly validAfterMs: number | undefined;
  readonly validBeforeMs: number | undefined;
}

type Invalid = (why: string) => HostError;

/**
 * Parses trusted signers in the allowed_signers format of OpenSSH: names, options (namespaces,
 * valid-after, valid-before), a key of the type ssh-ed25519, and a comment. Throws
 * TRUSTED_SIGNERS_INVALID for any other line, so that a list never means less or more than it says.
 *
 * @param where Where the text is from, for errors.
 */
export function parseTrustedSigners(text: string, where = "the trusted signers"): TrustedSigner[] {
  const invalidIn = (why: string) =>
    new HostError("TRUSTED_SIGNERS_INVALID", `In ${where}: ${why}`);
  if (Buffer.byteLength(text) > limits.trustedSignersBytes)
    throw invalidIn(`the text exceeds ${limits.trustedSignersBytes} bytes.`);
  const signers: TrustedSigner[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const invalid: Invalid = (why) => invalidIn(`line ${index + 1} ${why}`);
    if (line.length > limits.trustedSignerLineChars)
      throw invalid(`has more than ${limits.trustedSignerLineChars} characters.`);
    signers.push(parseLine(line, invalid));
  }
  if (signers.length === 0)
    throw invalidIn("no signer. Add a line such as: name ssh-ed25519 AAAA...");
  return signers;
}

/**
 * Reads a file of trusted signers as parseTrustedSigners does. TRUSTED_SIGNERS_INVALID, also if it
 * cannot be read.
 */
export async function readTrustedSignersFile(
  files: Pick<FileSystem, "openToRead">,
  path: string,
): Promise<TrustedSigner[]> {
  const bytes = await readNamedFile(files, path, {
    reason: "TRUSTED_SIGNERS_INVALID",
    what: "file of trusted signers",
    maxBytes: limits.trustedSignersBytes,
  });
  return parseTrustedSigners(bytes.toString("utf8"), `the trusted signers ${path}`);
}

/** Whether a name matches a list of patterns and none of its exclusions. */
export function matchesList(name: string, patterns: readonly string[]): boolean {
  const included = patterns.some((pattern) => !pattern.startsWith("!") && matches(name, pattern));
  return (
    included &&
    !patterns.some((pattern) => pattern.startsWith("!") && matches(name, pattern.slice(1)))
  );
}

/** Matches * and ?. On a mismatch only the last * takes one character more: no exponential search. */
function matches(name: string, pattern: string): boolean {
  let star = -1;
  let starPosition = 0;
  let at = 0;
  for (let position = 0; position < name.length;) {
    if (pattern[at] === "*") {
      star = at;
      starPosition = position;
      at += 1;
    } else if (pattern[at] === "?" || pattern[at] === name[position]) {
      at += 1;
      position += 1;
    } else if (star >= 0) {
      at = star + 1;
      starPosition += 1;
      position = starPosition;
    } else return false;
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}

const keyTypeForm = /^(ssh-|ecdsa-|sk-|rsa-)\S*$/;

function parseLine(line: string, invalid: Invalid): TrustedSigner {
  if (keyTypeForm.test(takeWord(line).word))
    throw invalid("begins with a key. Put a name before it: name ssh-ed25519 AAAA...");
  const { word: names, rest: afterNames } = takeNames(line, invalid);
  const principals = names.split(",");
  if (principals.some((name) => name === "" || name === "!"))
    throw invalid("has an empty name. Separate names by single commas, without spaces.");
  const second = takeWord(afterNames);
  const hasOptions = !keyTypeForm.test(second.word);
  const options = hasOptions ? parseOptions(second.word, invalid) : noOptions;
  const type = hasOptions ? takeWord(second.rest) : second;
  if (type.word === "")
    throw invalid("has no key. Write: name [options] ssh-ed25519 AAAA... [comment]");
  if (type.word !== keyType)
    throw invalid(
      keyTypeForm.test(type.word)
        ? `has a key of an unsupported type. Use ${keyType}, and keep other keys in another file.`
        : "has no key where one is expected. Write: name [options] ssh-ed25519 AAAA... [comment]",
    );
  const publicKey = decodeBase64(takeWord(type.rest).word);
  const malformed = () => invalid("has a malformed key. Copy it again.");
  if (publicKey === undefined) throw malformed();
  decodePublicKey(publicKey, malformed);
  return { principals, publicKey, ...options };
}

interface Split {
  word: string;
  rest: string;
}

/** Takes the first word of a line, in which quotes may contain spaces. */
function takeWord(text: string): Split {
  const word = /^(?:"(?:\\"|[^"\\]|\\(?!"))*"|[^\s"])*/.exec(text)?.[0] ?? "";
  return { word, rest: text.slice(word.length).trimStart() };
}

function takeNames(line: string, invalid: Invalid): Split {
  if (!line.startsWith('"')) {
    const word = /^\S*/.exec(line)?.[0] ?? "";
    return { word, rest: line.slice(word.length).trimStart() };
  }
  const end = line.indexOf('"', 1);
  if (end < 0) throw invalid("has a quote that is not closed.");
  return { word: line.slice(1, end), rest: line.slice(end + 1).trimStart() };
}

type Options = Pick<TrustedSigner, "namespaces" | "validAfterMs" | "validBeforeMs">;

const noOptions: Options = {
  namespaces: undefined,
  validAfterMs: undefined,
  validBeforeMs: undefined,
};

function parseOptions(text: string, invalid: Invalid): Options {
  const values = new Map<string, string>();
  const form = /([a-z-]+)(?:="((?:\\"|[^"\\]|\\(?!"))*)")?(,|$)/iy;
  for (let position = 0; position < text.length; position = form.lastIndex) {
    form.lastIndex = position;
    const match = form.exec(text);
    if (match === null)
      throw invalid('has malformed options. Write each as name="value", separated by commas.');
    const [whole, rawName = "", value = "", separator] = match;
    const name = rawName.toLowerCase();
    if (name === "cert-authority")
      throw invalid("trusts a certificate authority, which is not supported. List each key.");
    if (!["namespaces", "valid-after", "valid-before"].includes(name))
      throw invalid(
        "has an unknown option or type of key. Use namespaces, valid-after, valid-before and ssh-ed25519.",
      );
    if (value === "") throw invalid(`has no value for ${name}.`);
    if (values.has(name)) throw invalid(`has ${name} twice.`);
    values.set(name, value.replaceAll('\\"', '"'));
    if (separator === "," && position + whole.length === text.length)
      throw invalid("has a comma after its last option.");
  }
  const timeOf = (name: string) => {
    const value = values.get(name);
    return value === undefined ? undefined : parseTime(value, name, invalid);
  };
  const validAfterMs = timeOf("valid-after");
  const validBeforeMs = timeOf("valid-before");
  if (validAfterMs !== undefined && validBeforeMs !== undefined && validBeforeMs <= validAfterMs)
    throw invalid("is never valid: valid-before is not later than valid-after.");
  const namespaces = values.get("namespaces")?.split(",");
  return { namespaces, validAfterMs, validBeforeMs };
}

/** Parses a time of OpenSSH, which is local unless it ends in Z. */
function parseTime(text: string, name: string, invalid: Invalid): number {
  const match = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z|UTC)?$/i.exec(text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (match ?? [])
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const fields = [year, month - 1, day, hour, minute, second] as const;
  const utc = new Date(Date.UTC(...fields));
  const digits = utc.toISOString().replace(/\D/g, "");
  // A time such as February 30 would become another day.
  if (match === null || !digits.startsWith(text.replace(/\D/g, "")))
    throw invalid(
      `has an invalid time for ${name}. Use YYYYMMDD or YYYYMMDDHHMMSS, with Z for UTC.`,
    );
  return match[7] === undefined ? new Date(...fields).getTime() : utc.getTime();
}
