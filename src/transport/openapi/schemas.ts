import {
  ScalarType,
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonObject,
} from "@bufbuild/protobuf";

/** Messages with a special JSON representation. */
const wellKnown: Readonly<Record<string, JsonObject>> = {
  Any: { type: "object", required: ["@type"], properties: { "@type": { type: "string" } } },
  Duration: { type: "string", pattern: "^-?[0-9]+(\\.[0-9]{1,9})?s$" },
  Empty: { type: "object" },
  FieldMask: { type: "string" },
  ListValue: { type: "array" },
  Struct: { type: "object" },
  Timestamp: { type: "string", format: "date-time" },
  Value: {},
};

const signed = {
  type: "string",
  pattern: "^-?[0-9]+$",
  description: "A 64-bit integer as a decimal string; requests may also use a number.",
};
const unsigned = { type: "string", pattern: "^[0-9]+$", description: signed.description };
const integer = { type: "integer", format: "int32" };
const natural = { type: "integer", minimum: 0 };
const number: JsonObject = {
  oneOf: [{ type: "number" }, { type: "string", enum: ["NaN", "Infinity", "-Infinity"] }],
};

const scalars: Readonly<Record<ScalarType, JsonObject>> = {
  [ScalarType.DOUBLE]: number,
  [ScalarType.FLOAT]: number,
  [ScalarType.INT64]: signed,
  [ScalarType.SINT64]: signed,
  [ScalarType.SFIXED64]: signed,
  [ScalarType.UINT64]: unsigned,
  [ScalarType.FIXED64]: unsigned,
  [ScalarType.INT32]: integer,
  [ScalarType.SINT32]: integer,
  [ScalarType.SFIXED32]: integer,
  [ScalarType.UINT32]: natural,
  [ScalarType.FIXED32]: natural,
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: { type: "string", contentEncoding: "base64" },
};

/** Generates the schemas of messages and enums and collects every referenced one. */
export interface Schemas {
  /** Returns the schema of a message, usually a reference. */
  ofMessage(message: DescMessage): JsonObject;
  /** Returns the schema of a field. */
  ofField(field: DescField): JsonObject;
  /** Returns the collected schemas by full name, for `components`. */
  collected(): JsonObject;
}

/** Creates an empty collection. */
export function createSchemas(): Schemas {
  const collected = new Map<string, JsonObject>();

  function collect(type: DescMessage | DescEnum, make: () => JsonObject): JsonObject {
    if (!collected.has(type.typeName)) {
      // Reserved first, because a message may contain itself.
      collected.set(type.typeName, {});
      collected.set(type.typeName, make());
    }
    return { $ref: `#/components/schemas/${type.typeName}` };
  }

  function ofMessage(message: DescMessage): JsonObject {
    const { typeName, fields } = message;
    const known = typeName.startsWith("google.protobuf.")
      ? wellKnown[typeName.slice("google.protobuf.".length)]
      : undefined;
    if (known) return known;
    // Requests with unknown fields are rejected.
    return collect(message, () => ({
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(fields.map((field) => [field.jsonName, ofField(field)])),
    }));
  }

  function ofField(field: DescField): JsonObject {
    switch (field.fieldKind) {
      case "list":
        return { type: "array", items: ofType(field) };
      case "map":
        return { type: "object", additionalProperties: ofType(field) };
      default:
        return ofType(field);
    }
  }

  function ofType(field: DescField): JsonObject {
    if (field.enum) return ofEnum(field.enum);
    if (field.message) return ofMessage(field.message);
    return scalars[field.scalar];
  }

  function ofEnum(type: DescEnum): JsonObject {
    return collect(type, () => ({ type: "string", enum: type.values.map(({ name }) => name) }));
  }

  return {
    ofMessage,
    ofField,
    collected: () => Object.fromEntries([...collected].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}
