import { resolve } from "node:path";
import { toUri, displayUri } from "./destination-uri.js";

test.each([
  ["file:/backups", "file:/backups"],
  ["https://store.example/b.zip", "https://store.example/b.zip"],
  ["transfer:one", "transfer:one"],
  ["/backups/a b#1?.zip", "file:///backups/a%20b%231%3F.zip"],
  ["backups", `file://${resolve("backups")}`],
])("%s is %s", (given, uri) => expect(toUri(given)).toBe(uri));

test("what is empty, as of a variable that is not set, is no place", () => {
  for (const nothing of ["", " "]) expect(() => toUri(nothing)).toThrow(/place is empty/);
});

test("a path is shown as a path, and no password is", () => {
  expect(displayUri(toUri("/backups/a b#1?.zip"))).toBe("/backups/a b#1?.zip");
  expect(displayUri("https://ada:secret@store.example/b.zip?code=secret")).toBe(
    "https://store.example/b.zip",
  );
});
