import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/** A message inside another, by the number of its field; `inner` of a map is that of its values. */
interface Field {
  field: DescField;
  inner: DescMessage | undefined;
}

const tables = new WeakMap<DescMessage, Map<number, Field>>();

/**
 * Throws for a binary message that would take the event loop, or memory, more than a request may: BODY_TOO_LARGE for more than
 * limits.requestMembers fields in it, for a Struct over limits.structBytes and a text over limits.requestTextBytes; REQUEST_INVALID
 * for what is not protobuf. Nothing is decoded, so it takes a few milliseconds at most.
 */
export function checkBinaryBounds(schema: DescMessage, bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  try {
    new Walk(reader).message(schema, bytes.byteLength, 0);
  } catch (thrown) {
    if (thrown instanceof HostError) throw thrown;
    throw new HostError("REQUEST_INVALID", `The request is not a ${schema.typeName}.`, {
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
        `The request is nested deeper than ${limits.jsonDepth} levels.`,
      );
    if (end > reader.len)
      throw new HostError("REQUEST_INVALID", "The request ends in the middle of a field.");
    while (reader.pos < end) {
      const [number, wire] = reader.tag();
      this.count(1);
      if (wire === WireType.StartGroup || wire === WireType.EndGroup)
        throw new HostError(
          "REQUEST_INVALID",
          "The request holds a protobuf group, which no request of this host has.",
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
      throw new HostError("REQUEST_INVALID", "The request ends in the middle of a field.");
    this.reader.pos = end;
  }

  /** The key of an entry is its field 1, the value 2. */
  private mapEntry(inner: DescMessage | undefined, end: number, depth: number): void {
    const { reader } = this;
    if (end > reader.len)
      throw new HostError("REQUEST_INVALID", "The request ends in the middle of a field.");
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
    // Packed numbers: at least a byte each.
    this.count(length);
  }

  private count(records: number): void {
    if ((this.records += records) > limits.requestMembers)
      throw new HostError(
        "BODY_TOO_LARGE",
        `The request holds more than ${limits.requestMembers} fields. Send the document as json, or the request in parts.`,
      );
  }
}

function tooLargeText(field: DescField): HostError {
  return new HostError(
    "BODY_TOO_LARGE",
    `The field ${field.name} is larger than ${limits.requestTextBytes} bytes.`,
    { metadata: { field: field.name } },
  );
}

function tooLargeStruct(): HostError {
  return new HostError(
    "BODY_TOO_LARGE",
    `A document as a Struct may take ${limits.structBytes} bytes. Send it as json.`,
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
