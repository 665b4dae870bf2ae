import { limits } from "../../limits.js";
import { copiedRows, copyOf, type CopiedRow } from "./copy-format.js";

type Row = [number, string, number, string, string, string, number, number, string];

const row = (time: number, link: string, body: string): Row =>
  [
    ...[time, link, 2 ** 40, "POST"],
    ...["kind:ü", "owner", 0, 2 ** 32 - 1, body],
  ] as unknown as Row;
const rows: Row[] = [
  row(1, "/a", ""),
  row(2, "/a", "{}"),
  row(Number.MAX_SAFE_INTEGER, "/b", JSON.stringify({ text: "€ 😀".repeat(2_000) })),
  row(4, "/c", "x".repeat(70_000)),
  row(5, "/b", "\n\0"),
];

const encoded = (of: Iterable<Row>) => Buffer.concat([...copyOf(of, () => {})]);

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decoded(chunks: AsyncIterable<Buffer>): Promise<Row[]> {
  const found: CopiedRow[] = [];
  for await (const part of copiedRows(chunks)) found.push(...part);
  return found.map(
    (one) =>
      one.map((field) => (typeof field === "number" ? field : field.toString("utf8"))) as Row,
  );
}

test.each([1, 2, 3, 7, 100, 65_536, 10_000_000])(
  "reads the rows that it wrote, in chunks of %i bytes",
  async (size) => {
    const some = size < 7 ? rows.filter((one) => one[8].length < 100) : rows;
    expect(await decoded(pieces(encoded(some), size))).toEqual(some);
  },
);

test("tells the bytes of each body, and begins a chunk for a row that does not fit", () => {
  const bodies: number[] = [];
  const large = row(1, "/large", "é".repeat(limits.copyChunkBytes));
  const chunks = [...copyOf([...rows, large, ...rows], (bytes) => bodies.push(bytes))];
  expect(bodies).toEqual([...rows, large, ...rows].map((one) => Buffer.byteLength(one[8])));
  expect(chunks.length).toBeGreaterThan(2);
});

test.each([-1, 2 ** 53, 0.5, Number.NaN])("refuses the number %p of a segment", (number) => {
  expect(() => encoded([row(number, "/a", "")])).toThrow(
    expect.objectContaining({ reason: "BACKUP_DAMAGED" }),
  );
});

describe("refuses an answer", () => {
  const bytes = encoded(rows);
  const firstRow = 19;

  test.each([
    ["without its end", bytes.subarray(0, -2)],
    ["that ends in a row", bytes.subarray(0, 200)],
    ["that is empty", Buffer.alloc(0)],
    ["of another format", Buffer.concat([Buffer.from("NOCOPY"), bytes])],
    ["with other columns", changed((copy) => copy.writeInt16BE(8, firstRow))],
    ["with a null", changed((copy) => copy.writeInt32BE(-1, firstRow + 2))],
    ["with a short number", changed((copy) => copy.writeInt32BE(4, firstRow + 2))],
  ])("%s", async (_, answer) => {
    await expect(decoded(pieces(answer, 64))).rejects.toMatchObject({ reason: "INTERNAL" });
  });

  test("with a row that is longer than any document", async () => {
    const endless = async function* () {
      yield changed((copy) => copy.writeInt32BE(2 ** 31 - 1, firstRow + 2 + 12)).subarray(0, 60);
      for (;;) yield Buffer.alloc(limits.copyChunkBytes);
    };
    await expect(decoded(endless())).rejects.toThrow("a row is too long");
  });

  function changed(change: (copy: Buffer) => void): Buffer {
    const copy = Buffer.from(bytes);
    change(copy);
    return copy;
  }
});
