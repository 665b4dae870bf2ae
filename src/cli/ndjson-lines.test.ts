import { ndjsonLines } from "./ndjson-lines.js";

async function linesOf(...chunks: string[]): Promise<string[]> {
  const lines: string[] = [];
  async function* stream() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  for await (const line of ndjsonLines(stream())) lines.push(line.toString());
  return lines;
}

test("finds lines across chunk boundaries and skips empty lines", async () => {
  expect(await linesOf('{"a":', '1}\n{"b":2}\r\n\n{', '"c":3}')).toEqual([
    '{"a":1}',
    '{"b":2}',
    '{"c":3}',
  ]);
  expect(await linesOf("")).toEqual([]);
});

test("rejects a line above the document limit before reading it to its end", async () => {
  const chunk = "x".repeat(1 << 20);
  await expect(linesOf("{}\n", ...Array.from({ length: 17 }, () => chunk))).rejects.toMatchObject({
    reason: "REQUEST_INVALID",
    message: expect.stringContaining("Line 2"),
  });
});
