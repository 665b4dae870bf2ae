import {
  ScalarType,
  toJson,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";

/** The path of fields from a message to a field of type bytes. */
type BytesPath = readonly DescField[];

/** Inserts detached bytes into the JSON of their message. */
export type PutBytes = (json: JsonValue) => void;

/** Placeholder for detached bytes; not empty, because empty bytes may be omitted from JSON. */
const placeholder = new Uint8Array(1);
const placeholderText = "AA==";

/**
 * Returns a function that converts messages of one type to JSON. protobuf-es takes over a second
 * for 16 MiB of bytes in base64 and blocks the event loop meanwhile, so bytes are detached first
 * and encoded with Buffer. The function modifies the message.
 */
export function jsonWriter(
  schema: DescMessage,
  registry: Registry,
): (message: Message) => JsonValue {
  const detach = bytesDetacher(schema);
  const options = { registry, alwaysEmitImplicit: true };
  return (message) => {
    const put = detach(message);
    const json = toJson(schema, message, options);
    put?.(json);
    return json;
  };
}

/**
 * Returns a function that detaches the bytes from a message of one type. It returns undefined for a
 * message without bytes.
 */
export function bytesDetacher(schema: DescMessage): (message: Message) => PutBytes | undefined {
  const paths = bytesPaths(schema, []);
  return (message) => {
    const detached = paths
      .map((path) => ({ path, bytes: takeBytes(reflect(schema, message), path) }))
      .filter(({ bytes }) => bytes.length > 0);
    if (detached.length === 0) return undefined;
    return (json) => {
      for (const { path, bytes } of detached) putBytes(json, path, bytes.values());
    };
  };
}

function bytesPaths(schema: DescMessage, before: BytesPath): BytesPath[] {
  // Well-known types have a special JSON representation.
  if (schema.typeName.startsWith("google.protobuf.")) return [];
  return schema.fields.flatMap((field) => {
    const path = [...before, field];
    if (field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES) return [path];
    const inner =
      field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message")
        ? field.message
        : undefined;
    // Recursive messages are left to protobuf-es.
    return inner && !before.some((outer) => outer.message === inner) ? bytesPaths(inner, path) : [];
  });
}

/** Detaches all bytes at a path, in order. */
function takeBytes(message: ReflectMessage, [field, ...rest]: BytesPath): Uint8Array[] {
  if (!field || !message.isSet(field)) return [];
  if (field.fieldKind === "message") return takeBytes(message.get(field), rest);
  if (field.fieldKind === "list")
    return [...message.get(field)].flatMap((item) => takeBytes(item as ReflectMessage, rest));
  const bytes: unknown = message.get(field);
  if (!(bytes instanceof Uint8Array)) return [];
  message.set(field, placeholder);
  return [bytes];
}

function putBytes(
  json: JsonValue | undefined,
  [field, ...rest]: BytesPath,
  bytes: Iterator<Uint8Array>,
) {
  if (!field || typeof json !== "object" || json === null) return;
  const object = json as JsonObject;
  const value = object[field.jsonName];
  if (value === undefined) return;
  if (rest.length > 0) {
    for (const item of Array.isArray(value) ? value : [value]) putBytes(item, rest, bytes);
    return;
  }
  if (value !== placeholderText) return;
  const next = bytes.next();
  if (!next.done && next.value)
    object[field.jsonName] = Buffer.from(
      next.value.buffer,
      next.value.byteOffset,
      next.value.byteLength,
    ).toString("base64");
}
