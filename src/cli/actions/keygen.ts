import { writeFileSync } from "node:fs";
import { generateIdentity } from "../../encryption/identities.js";
import { HostError } from "../../errors.js";
import type { CommandContext } from "../command-context.js";
import type { OutputFlags } from "../flags.js";
import { errnoOf } from "../../io/file-system.js";

/** Flags of holdfast keygen. */
export interface KeygenFlags extends OutputFlags {
  output?: string;
  postQuantum?: boolean;
}

/** Implements holdfast keygen. An existing file is never replaced. */
export async function keygen(context: CommandContext, flags: KeygenFlags): Promise<void> {
  const { output, postQuantum = false } = flags;
  const { recipient, identityFile } = await generateIdentity({
    createdMs: Date.now(),
    postQuantum,
  });
  if (output === undefined) return context.printText(identityFile.trimEnd());
  try {
    writeFileSync(output, identityFile, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    const exists = errnoOf(cause) === "EEXIST";
    throw new HostError(
      "CONFIGURATION_INVALID",
      exists
        ? `${output} exists and was not changed: backups encrypted to its key need it. Name another file.`
        : `Cannot write ${output} (${errnoOf(cause) ?? "unknown error"}). Check the path and its permissions.`,
      { cause },
    );
  }
  await context.printText(recipient);
}
