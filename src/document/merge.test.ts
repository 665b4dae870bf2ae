import { kindDefinition } from "./kinds.js";
import { exampleKind } from "./example-kind.js";
import { parseMembers } from "./members.js";
import { applyMerge } from "./merge.js";
import { ownMembers } from "./system-fields.js";

const example = kindDefinition(exampleKind);
const body = (action: "POST" | "PUT" | "PATCH", text: string) =>
  example.body(action, ownMembers(parseMembers(text)));
const patched = (current: string, patch: string) =>
  applyMerge("example", body("POST", current), body("PATCH", patch));

describe("ExampleService documents", () => {
  test("have only Xenon's fields, in Xenon's order", () => {
    const given =
      '{"zz":1,"tags":["t","t"],"name":"one","counter":3,"keyValues":{"k":"v"},"documentVersion":9,"id":null}';
    expect(body("POST", given)).toBe(
      '{"keyValues":{"k":"v"},"counter":3,"name":"one","tags":["t"],"isFromMigration":false}',
    );
    expect(body("PUT", given)).toBe(
      '{"keyValues":{"k":"v"},"counter":3,"name":"one","tags":["t"]}',
    );
  });

  test("have keyValues and tags by default", () => {
    expect(body("POST", '{"name":"two"}')).toBe(
      '{"keyValues":{},"name":"two","tags":[],"isFromMigration":false}',
    );
  });

  test("require a name", () => {
    expect(() => body("POST", "{}")).toThrow("name is required");
    expect(() => body("POST", '{"name":null}')).toThrow("name is required");
    expect(() => body("PUT", '{"counter":1}')).toThrow("name must be set");
    expect(body("PATCH", "{}")).toBe("{}");
  });

  test('accept "7" as 7, keep 64-bit integers exact and reject other values', () => {
    expect(body("PATCH", '{"counter":"7"}')).toBe('{"counter":7}');
    expect(body("PATCH", '{"counter":9223372036854775807}')).toBe(
      '{"counter":9223372036854775807}',
    );
    for (const counter of ["1.5", '"x"', "9223372036854775808", "true", "{}"]) {
      expect(() => body("PATCH", `{"counter":${counter}}`)).toThrow(
        /counter must be a 64-bit integer/,
      );
    }
  });

  test.each([
    '{"name":{}}',
    '{"name":[]}',
    '{"tags":"x"}',
    '{"tags":[1]}',
    '{"keyValues":[]}',
    '{"keyValues":{"a":{}}}',
  ])("reject %s", (text) => {
    expect(() => body("PATCH", text)).toThrow(expect.objectContaining({ reason: "JSON_INVALID" }));
  });
});

describe("a PATCH of an ExampleService document", () => {
  test("keeps the greater counter, exactly", () => {
    expect(
      patched('{"name":"a","counter":9007199254740993}', '{"counter":9007199254740992}'),
    ).toContain('"counter":9007199254740993');
    expect(
      patched('{"name":"a","counter":9007199254740992}', '{"counter":9007199254740993}'),
    ).toContain('"counter":9007199254740993');
    expect(patched('{"name":"a","sortedCounter":5}', '{"sortedCounter":2}')).toContain(
      '"sortedCounter":2',
    );
  });

  test("joins tags, merges keyValues key by key, drops nulled keys and ignores null fields", () => {
    const merged = patched(
      '{"name":"a","tags":["x","y"],"keyValues":{"k":"1","l":"2"},"id":"i"}',
      '{"name":null,"tags":["y","z"],"keyValues":{"k":"3","l":null,"m":"4"},"id":null,"unknown":1}',
    );
    expect(merged).toBe(
      '{"keyValues":{"k":"3","m":"4"},"name":"a","tags":["x","y","z"],"id":"i","isFromMigration":false}',
    );
  });

  test.each(["", ',"isFromMigration":true', ',"isFromMigration":false'])(
    "leaves isFromMigration as a PUT set it: %p",
    (state) => {
      expect(
        applyMerge(
          "example",
          body("PUT", `{"name":"a"${state}}`),
          body("PATCH", '{"name":"b","isFromMigration":true}'),
        ),
      ).toBe(`{"keyValues":{},"name":"b","tags":[]${state}}`);
    },
  );

  test("never stores a null in keyValues", () => {
    expect(applyMerge("example", '{"name":"a"}', '{"keyValues":{"k":null}}')).toBe(
      '{"keyValues":{},"name":"a","tags":[]}',
    );
  });
});

describe("documents of another kind", () => {
  const other = kindDefinition("acme:Thing");

  test("keep every field verbatim except system fields", () => {
    expect(
      other.body("POST", ownMembers(parseMembers('{"b":1.10,"documentKind":"x","a":null}'))),
    ).toBe('{"b":1.10,"a":null}');
  });

  test("are merged field by field, null being ignored", () => {
    expect(
      applyMerge(
        other.mergeRule,
        '{"a":1.10,"b":{"x":1},"c":3}',
        '{"b":{"y":2},"c":null,"d":9007199254740993}',
      ),
    ).toBe('{"a":1.10,"b":{"y":2},"c":3,"d":9007199254740993}');
  });
});
