import { HostError } from "../errors.js";
import { hints } from "./hints.js";

test("says what a command left unchanged, unless it only reads", () => {
  const error = new HostError("DESTINATION_FAILED", "The disk failed.");
  expect(hints("policy edit", error)).toEqual(["Nothing was changed."]);
  expect(hints("undo", error)).toEqual(["The index is unchanged."]);
  expect(hints("policy show", error)).toEqual([]);
});

test("leads to the directory in which there is no backup, and to the one of a missing archive", () => {
  const missing = (metadata: Record<string, string>) =>
    hints("list", new HostError("BACKUP_NOT_FOUND", "There is none.", { metadata }));
  expect(missing({ path: "/b/shop", directory: "/b/shop" })).toEqual([
    "List the available backups: holdfast list /b/shop",
  ]);
  expect(missing({ path: "/b/shop.zip" })).toEqual([
    "List the available backups: holdfast list /b",
  ]);
});

test("does not say that nothing was changed by a write that is durable and not copied", () => {
  const error = new HostError("NOT_COPIED", "The write is durable on this host.");
  expect(hints("documents put", error)).toEqual([]);
  expect(hints("documents put", new HostError("OVERLOADED", "Too many requests."))).toContain(
    "Nothing was changed.",
  );
});
