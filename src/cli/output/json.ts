import type { DescMessage, JsonValue, MessageShape } from "@bufbuild/protobuf";
import type { HostError } from "../../errors.js";
import { print } from "./print.js";

/**
 * Schema version of the documents that --json prints; docs/cli-json.md defines what may change
 * within one.
 */
export const jsonSchema = "holdfast.cli/v1";

/** Prints a message as the result document of a command. */
export async function printJson<Desc extends DescMessage>(
  command: string,
  schema: Desc,
  message: MessageShape<Desc>,
): Promise<void> {
  const { messageJson } = await import("../../client/message-json.js");
  await printJsonValue(command, messageJson(schema, message));
}

/** Prints a JSON value as the result document of a command. */
export async function printJsonValue(command: string, result: JsonValue): Promise<void> {
  await print(`${JSON.stringify({ schema: jsonSchema, command, result })}\n`);
}

/** Prints the error document of a command. */
export async function printJsonError(
  command: string,
  { code, reason, message, metadata }: HostError,
): Promise<void> {
  await print(
    `${JSON.stringify({ schema: jsonSchema, command, error: { code, reason, message, metadata } })}\n`,
  );
}
