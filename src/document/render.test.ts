import { renderDocument } from "./render.js";

const version = {
  link: "/core/examples/one",
  version: 0,
  updateTimeMicros: 1795348034673000,
  action: "POST" as const,
  kind: "com:vmware:xenon:services:common:ExampleService:ExampleServiceState",
  owner: "9b6e4229",
  expirationTimeMicros: 0,
};

test("a document looks as Xenon writes it, to the byte", () => {
  const body =
    '{"keyValues":{"k":"v"},"counter":3,"name":"one","tags":["t"],"isFromMigration":false}';
  expect(renderDocument({ ...version, body })).toBe(
    '{"keyValues":{"k":"v"},"counter":3,"name":"one","tags":["t"],"isFromMigration":false,"documentVersion":0,"documentEpoch":0,"documentKind":"com:vmware:xenon:services:common:ExampleService:ExampleServiceState","documentSelfLink":"/core/examples/one","documentUpdateTimeMicros":1795348034673000,"documentUpdateAction":"POST","documentExpirationTimeMicros":0,"documentOwner":"9b6e4229"}',
  );
});

test("a document without fields of its own, and with a link that needs escapes, is valid JSON", () => {
  const parsed = JSON.parse(renderDocument({ ...version, link: '/f/a"b', body: "{}" })) as Record<
    string,
    unknown
  >;
  expect(Object.keys(parsed)[0]).toBe("documentVersion");
  expect(parsed["documentSelfLink"]).toBe('/f/a"b');
});

test("a body that was stored with line breaks is written on one line", () => {
  const line = renderDocument({ ...version, body: '{"tags":[\n  "a",\n  "b"\n]}' });
  expect(line).not.toContain("\n");
  expect(line).toContain('"tags":["a","b"],');
});
