import { resolve } from "node:path";
import { placeUri, showPlace } from "./place.js";

test.each([
  ["file:/backups", "file:/backups"],
  ["https://store.example/b.zip", "https://store.example/b.zip"],
  ["transfer:one", "transfer:one"],
  ["/backups/a b#1?.zip", "file:///backups/a%20b%231%3F.zip"],
  ["backups", `file://${resolve("backups")}`],
])("%s is %s", (given, uri) => expect(placeUri(given)).toBe(uri));

test("what is empty, as of a variable that is not set, is no place", () => {
  for (const nothing of ["", " "]) expect(() => placeUri(nothing)).toThrow(/place is empty/);
});

test("a path is shown as a path, and no password is", () => {
  expect(showPlace(placeUri("/backups/a b#1?.zip"))).toBe("/backups/a b#1?.zip");
  expect(showPlace("https://ada:secret@store.example/b.zip?code=secret")).toBe(
    "https://store.example/b.zip",
  );
});
