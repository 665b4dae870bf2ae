import { resolve } from "node:path";
import { toUri, displayUri } from "./destination-uri.js";

test.each([
  ["file:/backups", "file:/backups"],
  ["https://store.example/b.zip", "https://store.example/b.zip"],
  ["transfer:one", "transfer:one"],
  ["/backups/a b#1?.zip", "file:///backups/a%20b%231%3F.zip"],
  ["backups", `file://${resolve("backups")}`],
])("converts %s to %s", (given, uri) => expect(toUri(given)).toBe(uri));

test("rejects a blank path, as from an unset variable", () => {
  for (const blank of ["", " "]) expect(() => toUri(blank)).toThrow(/path or URI is empty/);
});

test("displays file: URIs as paths and hides credentials", () => {
  expect(displayUri(toUri("/backups/a b#1?.zip"))).toBe("/backups/a b#1?.zip");
  expect(displayUri("https://ada:secret@store.example/b.zip?code=secret")).toBe(
    "https://store.example/b.zip",
  );
});
