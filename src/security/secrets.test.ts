import { queryWithoutSecrets, withoutSecrets } from "./secrets.js";

test.each([
  ["http://ada:secret@host/x?token=abc&page=2", "http://host/x"],
  ["http://host/mail@home?sig=abc", "http://host/mail@home"],
  ["https://host/b.zip?code=S", "https://host/b.zip"],
  ["https://host/b.zip?%74oken=S#S", "https://host/b.zip"],
  ["https://host/a;jsessionid=S/b.zip", "https://host/a/b.zip"],
  ["/store/b.zip?X-Amz-Signature=abc", "/store/b.zip"],
  ["file:/srv/backups", "file:/srv/backups"],
  [" https://user:SECRET@127.0.0.1:1/x?sig=S", " https://127.0.0.1:1/x"],
  ["https:/user:SECRET@h/x", "https://h/x"],
  ["//user:SECRET@h/x", "//h/x"],
  ["https\n://user:SECRET@h/x", "https\n://h/x"],
  ["https://user:SEC/RET@h/x", "https://h/x"],
  ["user:SECRET@h/x", "user://h/x"],
  ["http://ada:secret@[::1]:80/x", "http://[::1]:80/x"],
  ["file:/srv/a@b:c/backups", "file:/srv/a@b:c/backups"],
  ["/core/examples/a@b:c", "/core/examples/a@b:c"],
  ["transfers/a@b", "transfers/a@b"],
  ["manifest-1@x.json", "manifest-1@x.json"],
  ["", ""],
])("reduces %s to %s", (uri, shown) => expect(withoutSecrets(uri)).toBe(shown));

test.each([
  [
    "$filter=name eq 'a'&$limit=5&documentVersion=3",
    "$filter=name eq 'a'&$limit=5&documentVersion=3",
  ],
  [
    "bearer=S&uri=http%3A%2F%2Fhost%2Fb.zip%3Fcode%3DS&a=1;token=S&%74oken=S",
    "bearer=...&uri=...&a=...&%74oken=...",
  ],
  ["expand", "expand"],
  ["", ""],
])("logs the query %s as %s", (query, shown) => expect(queryWithoutSecrets(query)).toBe(shown));
