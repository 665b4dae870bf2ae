import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";

const versionField = "expected_version";

/**
 * Converts If-Match to the `expected_version` field, for messages that have it. `*` matches any
 * version. Throws REQUEST_INVALID for an ETag that is not a version.
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
      `Invalid If-Match ${header}: must be one ETag from an earlier response, for example "3".`,
    );
  }
  return [[versionField, version]];
}

/** Returns the ETag contained in a response, if any. */
export function etagOf(json: JsonValue): string | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const { etag } = json;
  return typeof etag === "string" && etag !== "" ? etag : undefined;
}
