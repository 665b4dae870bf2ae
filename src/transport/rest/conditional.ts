import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";

const versionField = "expected_version";

/**
 * If-Match as the message's `expected_version`, for messages that have one. `*` asks for no version in particular.
 * Throws REQUEST_INVALID for a tag that is no version of ours.
 */
export function ifMatchParameters(
  schema: DescMessage,
  header: string | undefined,
): [string, string][] {
  if (
    header === undefined ||
    header.trim() === "*" ||
    !schema.fields.some(({ name }) => name === versionField)
  )
    return [];
  const [, version] = /^\s*"(\d{1,16})"\s*$/.exec(header) ?? [];
  if (version === undefined) {
    throw new HostError(
      "REQUEST_INVALID",
      `If-Match takes one entity tag as it was answered, for example "3", not ${header}.`,
    );
  }
  return [[versionField, version]];
}

/** The entity tag of an answer that carries one. */
export function etagOf(json: JsonValue): string | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const { etag } = json;
  return typeof etag === "string" && etag !== "" ? etag : undefined;
}
