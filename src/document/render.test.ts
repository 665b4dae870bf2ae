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

test("renders a document byte for byte like Xenon", () => {
  const body =
    '{"keyValues":{"k":"v"},"counter":3,"name":"one","tags":["t"],"isFromMigration":false}';
  expect(renderDocument({ ...version, body })).toBe(
    '{"keyValues":{"k":"v"},"counter":3,"name":"one","tags":["t"],"isFromMigration":false,"documentVersion":0,"documentEpoch":0,"documentKind":"com:vmware:xenon:services:common:ExampleService:ExampleServiceState","documentSelfLink":"/core/examples/one","documentUpdateTimeMicros":1795348034673000,"documentUpdateAction":"POST","documentExpirationTimeMicros":0,"documentOwner":"9b6e4229"}',
  );
});

test("renders valid JSON for a document without own fields and with a link that needs escaping", () => {
  const parsed = JSON.parse(renderDocument({ ...version, link: '/f/a"b', body: "{}" })) as Record<
    string,
    unknown
  >;
  expect(Object.keys(parsed)[0]).toBe("documentVersion");
  expect(parsed["documentSelfLink"]).toBe('/f/a"b');
});

test("renders a body stored with line breaks on one line", () => {
  const line = renderDocument({ ...version, body: '{"tags":[\n  "a",\n  "b"\n]}' });
  expect(line).not.toContain("\n");
  expect(line).toContain('"tags":["a","b"],');
});
