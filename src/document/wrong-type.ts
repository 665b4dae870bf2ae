import { HostError } from "../errors.js";

/** Returns a JSON_INVALID error for a field of the wrong type. */
export function wrongType(path: string, expected: string, raw: string): HostError {
  const found = raw.startsWith("{")
    ? "an object"
    : raw.startsWith("[")
      ? "an array"
      : raw.slice(0, 40);
  return new HostError(
    "JSON_INVALID",
    `Unparseable JSON body: ${path} must be ${expected}, found ${found}.`,
    { metadata: { field: path } },
  );
}
