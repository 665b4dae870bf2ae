import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/** A field and the type of its messages, if any; for a map, the type of its values. */
interface Field {
  field: DescField;
  inner: DescMessage | undefined;
}

const tables = new WeakMap<DescMessage, Map<number, Field>>();

/**
 * Checks a binary message against the limits of a request before it is decoded, which takes a few
 * milliseconds at most. Throws BODY_TOO_LARGE for more than limits.requestMembers fields, a Struct
 * over limits.structBytes or a string over limits.requestTextBytes, and REQUEST_INVALID for
 * malformed bytes.
 */
export function checkBinaryBounds(schema: DescMessage, bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  try {
    new Walk(reader).message(schema, bytes.byteLength, 0);
  } catch (thrown) {
    if (thrown instanceof HostError) throw thrown;
    throw new HostError("REQUEST_INVALID", `Malformed request: not a valid ${schema.typeName}.`, {
      cause: thrown,
    });
  }
}

class Walk {
  private records = 0;

  constructor(private readonly reader: BinaryReader) {}

  message(schema: DescMessage | undefined, end: number, depth: number): void {
    const { reader } = this;
    if (depth > limits.jsonDepth)
      throw new HostError(
        "REQUEST_INVALID",
        `The request exceeds the nesting limit of ${limits.jsonDepth} levels.`,
      );
    if (end > reader.len)
      throw new HostError("REQUEST_INVALID", "Malformed request: truncated field.");
    while (reader.pos < end) {
      const [number, wire] = reader.tag();
      this.count(1);
      if (wire === WireType.StartGroup || wire === WireType.EndGroup)
        throw new HostError(
          "REQUEST_INVALID",
          "Malformed request: protobuf groups are not supported.",
        );
      if (wire !== WireType.LengthDelimited) reader.skip(wire, number);
      else
        this.lengthDelimited(schema === undefined ? undefined : tableOf(schema).get(number), depth);
    }
  }

  private lengthDelimited(known: Field | undefined, depth: number): void {
    const length = this.reader.uint32();
    const end = this.reader.pos + length;
    const { field, inner } = known ?? {};
    if (field?.fieldKind === "map") {
      this.mapEntry(inner, end, depth);
      return;
    }
    if (inner !== undefined) {
      if (inner.typeName === "google.protobuf.Struct" && length > limits.structBytes)
        throw tooLargeStruct();
      this.message(inner, end, depth + 1);
      return;
    }
    if (field !== undefined) this.scalars(field, length);
    if (end > this.reader.len)
      throw new HostError("REQUEST_INVALID", "Malformed request: truncated field.");
    this.reader.pos = end;
  }

  /** Reads a map entry: field 1 is the key, field 2 the value. */
  private mapEntry(inner: DescMessage | undefined, end: number, depth: number): void {
    const { reader } = this;
    if (end > reader.len)
      throw new HostError("REQUEST_INVALID", "Malformed request: truncated field.");
    while (reader.pos < end) {
      const [number, wire] = reader.tag();
      this.count(1);
      if (number === 2 && wire === WireType.LengthDelimited && inner !== undefined)
        this.message(inner, reader.uint32() + reader.pos, depth + 1);
      else reader.skip(wire, number);
    }
  }

  private scalars(field: DescField, length: number): void {
    const scalar =
      field.fieldKind === "scalar" || (field.fieldKind === "list" && field.listKind === "scalar")
        ? field.scalar
        : undefined;
    if (scalar === ScalarType.BYTES) return;
    if (scalar === ScalarType.STRING) {
      if (length > limits.requestTextBytes && !field.parent.typeName.startsWith("google.protobuf."))
        throw tooLargeText(field);
      return;
    }
    // Packed numbers take at least one byte each.
    this.count(length);
  }

  private count(records: number): void {
    if ((this.records += records) > limits.requestMembers)
      throw new HostError(
        "BODY_TOO_LARGE",
        `The request exceeds the limit of ${limits.requestMembers} fields. Send the document as json, or split the request.`,
      );
  }
}

function tooLargeText(field: DescField): HostError {
  return new HostError(
    "BODY_TOO_LARGE",
    `Field ${field.name} exceeds the limit of ${limits.requestTextBytes} bytes.`,
    { metadata: { field: field.name } },
  );
}

function tooLargeStruct(): HostError {
  return new HostError(
    "BODY_TOO_LARGE",
    `The document exceeds the limit of ${limits.structBytes} bytes for a Struct. Send it as json.`,
  );
}

function tableOf(schema: DescMessage): Map<number, Field> {
  const known = tables.get(schema);
  if (known !== undefined) return known;
  const table = new Map(
    schema.fields.map((field) => [field.number, { field, inner: field.message }]),
  );
  tables.set(schema, table);
  return table;
}
