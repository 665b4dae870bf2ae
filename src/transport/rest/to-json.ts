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

/** The fields to go through from a message to one of type bytes. */
type BytesPath = readonly DescField[];

/** Puts what was taken out of a message into its JSON. */
export type PutBytes = (json: JsonValue) => void;

/** Stands for bytes that were taken out: never left out of the JSON, as empty ones may be. */
const placeholder = new Uint8Array(1);
const placeholderText = "AA==";

/**
 * Makes JSON of the messages of one type. protobuf-es takes over a second for 16 MiB of bytes in base64, and the event
 * loop stands still meanwhile, so bytes are taken out before and put in by Buffer. The message is used up.
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

/** Takes the bytes out of messages of one type; undefined for a message that has none. */
export function bytesDetacher(schema: DescMessage): (message: Message) => PutBytes | undefined {
  const paths = bytesPaths(schema, []);
  return (message) => {
    const taken = paths
      .map((path) => ({ path, bytes: takeBytes(reflect(schema, message), path) }))
      .filter(({ bytes }) => bytes.length > 0);
    if (taken.length === 0) return undefined;
    return (json) => {
      for (const { path, bytes } of taken) putBytes(json, path, bytes.values());
    };
  };
}

function bytesPaths(schema: DescMessage, before: BytesPath): BytesPath[] {
  // What a well-known type holds has a JSON form of its own.
  if (schema.typeName.startsWith("google.protobuf.")) return [];
  return schema.fields.flatMap((field) => {
    const path = [...before, field];
    if (field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES) return [path];
    const inner =
      field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message")
        ? field.message
        : undefined;
    // A message that holds itself is left to protobuf-es.
    return inner && !before.some((outer) => outer.message === inner) ? bytesPaths(inner, path) : [];
  });
}

/** All bytes at a path, in order, leaving none there. */
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
