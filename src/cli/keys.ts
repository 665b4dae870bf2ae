import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { HostError } from "../errors.js";
import type { CommandContext } from "./command-context.js";

/** Flags with the keys for an encrypted backup. */
export interface DecryptionFlags {
  identity?: string[];
  passphrase?: boolean;
  passphraseFile?: string;
}

/** Flags that encrypt a backup. */
export interface EncryptionFlags {
  recipient?: string[];
  recipientsFile?: string;
  passphrase?: boolean;
  passphraseFile?: string;
  keepChain?: boolean;
  /** False: --no-encryption. */
  encryption: boolean;
}

/** Reads the keys for an encrypted backup. Throws IDENTITY_INVALID, and CONFIGURATION_INVALID. */
export async function readDecryption(
  context: CommandContext,
  flags: DecryptionFlags,
): Promise<{ decryption?: { identities: string; passphrase: string } }> {
  const { identity: paths = [] } = flags;
  const passphrase = await readPassphrase(context, flags);
  if (paths.length === 0 && passphrase === undefined) return {};
  const texts: string[] = [];
  for (const path of paths) {
    const [{ readIdentityText }, { nodeFileSystem }] = await Promise.all([
      import("../encryption/identity-file.js"),
      import("../io/node-file-system.js"),
    ]);
    const ask = () => prompt(context, `Passphrase of ${path}: `);
    texts.push(await readIdentityText(nodeFileSystem, path, ask));
  }
  return { decryption: { identities: texts.join("\n"), passphrase: passphrase ?? "" } };
}

/** Reads how to encrypt a backup. Throws RECIPIENT_INVALID, and REQUEST_INVALID for contradictions. */
export async function readEncryption(context: CommandContext, flags: EncryptionFlags) {
  const { recipient = [], recipientsFile, keepChain = false, encryption } = flags;
  const passphrase = await readPassphrase(context, flags, "repeat");
  const recipients = [...recipient];
  if (recipientsFile !== undefined) {
    const [{ readRecipientsFile }, { nodeFileSystem }] = await Promise.all([
      import("../encryption/recipients.js"),
      import("../io/node-file-system.js"),
    ]);
    recipients.push(...(await readRecipientsFile(nodeFileSystem, recipientsFile)).list);
  }
  const ways = [recipients.length > 0, passphrase !== undefined, !encryption].filter(Boolean);
  if (ways.length > 1) {
    throw new HostError(
      "REQUEST_INVALID",
      "Use recipients, or a passphrase, or --no-encryption, and not several of them.",
    );
  }
  if (keepChain && !encryption) {
    throw new HostError(
      "REQUEST_INVALID",
      "Use --keep-chain or --no-encryption, and not both: an encrypted chain is never continued in the clear.",
    );
  }
  if (ways.length === 0 && !keepChain) return {};
  return {
    encryption: { recipients, passphrase: passphrase ?? "", keepChain, disabled: !encryption },
  };
}

async function readPassphrase(
  context: CommandContext,
  { passphrase, passphraseFile }: Pick<DecryptionFlags, "passphrase" | "passphraseFile">,
  repeat?: "repeat",
): Promise<string | undefined> {
  if (passphraseFile !== undefined) {
    if (passphrase)
      throw new HostError(
        "REQUEST_INVALID",
        "Use --passphrase or --passphrase-file, and not both.",
      );
    const { readSecretLine } = await import("./secret-file.js");
    return readSecretLine(passphraseFile, "--passphrase-file");
  }
  if (!passphrase) return undefined;
  const given = await prompt(context, "Passphrase: ");
  if (repeat && (await prompt(context, "Repeat the passphrase: ")) !== given)
    throw new HostError("REQUEST_INVALID", "The two passphrases differ. Nothing was changed.");
  return given;
}

/** Asks for a secret on the terminal, without showing it. Throws CONFIRMATION_NEEDED if there is none. */
async function prompt(context: CommandContext, question: string): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new HostError(
      "CONFIRMATION_NEEDED",
      "Cannot prompt for a passphrase: standard input or standard error is not a terminal. Use --passphrase-file FILE.",
    );
  }
  process.stderr.write(question);
  const hidden = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: hidden, terminal: true });
  // readline puts the terminal into raw mode, where Ctrl-C is a key and raises no signal.
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    const answer = await terminal.question("", { signal: context.abort.signal });
    if (answer !== "") return answer;
    throw new HostError("REQUEST_INVALID", "The passphrase is empty. Nothing was changed.");
  } finally {
    terminal.close();
    process.stderr.write("\n");
  }
}
