import { fingerprintOf } from "./fingerprint.js";

interface Request {
  requestId?: string;
  full?: boolean;
  time?: bigint;
  bases?: string[];
  verify?: boolean;
  selection?: { links: string[]; prefixes?: string[] };
}
const of = (request: Request) => fingerprintOf(request, ["requestId"]);

test("ignores the request ID and the order of the fields", () => {
  expect(of({ requestId: "a" })).toBe(of({ requestId: "b" }));
  expect(of({ full: true, time: 5n })).toBe(of({ time: 5n, full: true }));
});

test.each<[Request, Request]>([
  [{}, { full: true }],
  [{}, { verify: false }],
  [{ time: 5n }, { time: 6n }],
  [{ bases: ["a"] }, { bases: ["b"] }],
  [{ bases: ["a", "b"] }, { bases: ["b", "a"] }],
  [{ selection: { links: ["/a"] } }, { selection: { links: ["/b"] } }],
  [{ selection: { links: ["/a"] } }, {}],
])("distinguishes %j from %j", (one, other) => {
  expect(of(one)).not.toBe(of(other));
});
