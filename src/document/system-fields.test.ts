import { joinMembers, parseMembers } from "./members.js";
import { ownMembers } from "./system-fields.js";

const own = (text: string) => joinMembers(ownMembers(parseMembers(text)));

test("keeps custom fields whose names start with document", () => {
  const text =
    '{"documentTitle":"T","documentation":"D","documents":[1],"document":1,"documentId":7,"documentversion":2,"DocumentOwner":"x"}';
  expect(own(text)).toBe(text);
});

test("removes Xenon's twelve built-in fields", () => {
  const builtIn = {
    documentVersion: 3,
    documentEpoch: 0,
    documentKind: "k",
    documentSelfLink: "/a",
    documentUpdateTimeMicros: "1795348315512000",
    documentUpdateAction: "PUT",
    documentExpirationTimeMicros: 0,
    documentOwner: "o",
    documentSourceLink: "",
    documentAuthPrincipalLink: "/core/authz/system-user",
    documentTransactionId: "",
    documentDescription: null,
  };
  expect(own(JSON.stringify({ ...builtIn, a: 1 }))).toBe('{"a":1}');
});

test.each([
  ["documentVersion", '"three"'],
  ["documentEpoch", "1.5"],
  ["documentUpdateTimeMicros", "{}"],
  ["documentKind", "7"],
  ["documentOwner", "[]"],
  ["documentUpdateAction", "true"],
  ["documentTransactionId", "{}"],
  ["documentSourceLink", '"/core/examples/a"'],
  ["documentDescription", '"a title"'],
])("rejects %s with the value %s, which cannot be stored", (name, raw) => {
  expect(() => own(`{"${name}":${raw}}`)).toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID", metadata: { field: name } }),
  );
});

test("removes line breaks from nested values and keeps numbers unchanged", () => {
  expect(own('{\n "tags" : [\r\n "a b",\t9007199254740993 , 1.10 ],\n "s": "x \\" : y" }')).toBe(
    '{"tags":["a b",9007199254740993,1.10],"s":"x \\" : y"}',
  );
});
