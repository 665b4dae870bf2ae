import { HostError } from "../errors.js";
import { splitLines } from "./lines.js";

async function linesOf(chunks: string[], onBuffered?: (change: number) => void): Promise<string[]> {
  const lines: string[] = [];
  async function* stream() {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const tooLong = (line: number) => new HostError("REQUEST_INVALID", `Line ${line} is too long.`);
  const options = { maxBytes: 1000, tooLong, ...(onBuffered && { onBuffered }) };
  for await (const line of splitLines(stream(), options)) lines.push(line.toString());
  return lines;
}

test("finds lines across chunk boundaries and skips empty lines", async () => {
  expect(await linesOf(['{"a":', '1}\n{"b":2}\r\n\n{', '"c":3}'])).toEqual([
    '{"a":1}',
    '{"b":2}',
    '{"c":3}',
  ]);
  expect(await linesOf([""])).toEqual([]);
});

test("rejects a line above the limit before reading it to its end", async () => {
  const chunks = ["{}\n", ...Array.from({ length: 11 }, () => "x".repeat(100))];
  await expect(linesOf(chunks)).rejects.toMatchObject({ message: "Line 2 is too long." });
});

test("reports the buffered bytes, and none at the end", async () => {
  let held = 0;
  let most = 0;
  await linesOf(["ab", "cd\ne", "fg"], (change) => {
    held += change;
    most = Math.max(most, held);
  });
  expect({ held, most }).toEqual({ held: 0, most: 3 });
});
