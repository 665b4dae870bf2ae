import type { IncomingMessage } from "node:http";
import { uploadRangeOf } from "./local-file-request.js";

const at = (
  range: string | undefined,
  length: number | undefined,
  more: Record<string, string> = {},
) =>
  uploadRangeOf({
    headers: {
      ...(range !== undefined && { "content-range": range }),
      ...(length === undefined
        ? { "transfer-encoding": "chunked" }
        : { "content-length": String(length) }),
      ...more,
    },
  } as unknown as IncomingMessage);

test.each([
  [
    "Xenon's first",
    "bytes 0-524288/13899995",
    524288,
    { start: 0, total: 13899995, lengths: [524288] },
  ],
  [
    "Xenon's last",
    "bytes 13631488-13899995/13899995",
    268507,
    { start: 13631488, total: 13899995, lengths: [268507] },
  ],
  [
    "RFC 9110's first",
    "bytes 0-524287/13899995",
    524288,
    { start: 0, total: 13899995, lengths: [524288] },
  ],
  [
    "RFC 9110's last",
    "bytes 13631488-13899994/13899995",
    268507,
    { start: 13631488, total: 13899995, lengths: [268507] },
  ],
  ["one byte, end counted in", "bytes 4-4/5", 1, { start: 4, total: 5, lengths: [1] }],
  ["one byte, end counted out", "bytes 4-5/5", 1, { start: 4, total: 5, lengths: [1] }],
  ["Xenon's empty part after the end", "bytes 20-20/20", 0, { start: 20, total: 20, lengths: [0] }],
  ["an empty file", "bytes 0-0/0", 0, { start: 0, total: 0, lengths: [0] }],
  [
    "more than 4 GiB",
    "Bytes 5000000000-5000000009/6000000000",
    10,
    { start: 5000000000, total: 6000000000, lengths: [10] },
  ],
  ["of undeclared length", "bytes 2-5/9", undefined, { start: 2, total: 9, lengths: [3, 4] }],
  [
    "of undeclared length, up to the total",
    "bytes 2-9/9",
    undefined,
    { start: 2, total: 9, lengths: [7] },
  ],
])("accepts ranges of Xenon and RFC 9110: %s", (_, range, length, span) => {
  expect(at(range, length)).toEqual(span);
});

test("treats a body without a range as the whole file", () => {
  expect(at(undefined, 7)).toEqual({ total: 7 });
  expect(at(undefined, undefined)).toEqual({});
});

test.each([
  ["a body shorter than both ends say", "bytes 0-10/20", 9],
  ["a body longer than both ends say", "bytes 0-10/20", 12],
  ["beyond the total", "bytes 0-21/20", 21],
  ["from behind the total on", "bytes 21-22/20", 1],
  ["the end counted in, of a body that goes one beyond", "bytes 10-20/20", 11],
  ["an end before the start", "bytes 5-4/20", 0],
  ["a negative start", "bytes -5-4/20", 9],
  ["an unknown total", "bytes 0-4/*", 5],
  ["a question", "bytes */20", 0],
  ["another unit", "pages 0-4/20", 5],
  ["several ranges", "bytes 0-4,6-8/20", 8],
  ["numbers that no number holds", "bytes 0-4/99999999999999999999", 5],
  ["no bytes at all", "bytes 3-3/20", 0],
  ["bytes after the end", "bytes 20-20/20", 1],
  ["an undeclared number of bytes after the end", "bytes 20-20/20", undefined],
  ["fractions", "bytes 0-4.5/20", 5],
])("rejects %s", (_, range, length) => {
  expect(() => at(range, length)).toThrow(expect.objectContaining({ reason: "REQUEST_INVALID" }));
});

test.each([
  ["application/json"],
  ["application/vnd.x+json; charset=utf-8"],
  ["application/x-www-form-urlencoded"],
  ["multipart/form-data; boundary=x"],
])("rejects the content type %s", (type) => {
  expect(() => at("bytes 0-4/5", 5, { "content-type": type })).toThrow(/application\/octet-stream/);
});

test("rejects a content encoding and a missing body", () => {
  expect(() => at(undefined, 5, { "content-encoding": "gzip" })).toThrow(/encoding/);
  expect(() => at(undefined, 0)).toThrow("no data to write");
});
