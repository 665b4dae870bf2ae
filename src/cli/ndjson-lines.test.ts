import { ndjsonLines } from "./ndjson-lines.js";

async function linesOf(...chunks: string[]): Promise<string[]> {
  const lines: string[] = [];
  async function* stream() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  for await (const line of ndjsonLines(stream())) lines.push(line.toString());
  return lines;
}

test("lines are found wherever the chunks end, and empty ones are left out", async () => {
  expect(await linesOf('{"a":', '1}\n{"b":2}\r\n\n{', '"c":3}')).toEqual([
    '{"a":1}',
    '{"b":2}',
    '{"c":3}',
  ]);
  expect(await linesOf("")).toEqual([]);
});

test("a line that is longer than any document is refused before it fills the memory", async () => {
  const chunk = "x".repeat(1 << 20);
  await expect(linesOf("{}\n", ...Array.from({ length: 17 }, () => chunk))).rejects.toMatchObject({
    reason: "REQUEST_INVALID",
    message: expect.stringContaining("Line 2"),
  });
});
