import { HostError } from "../errors.js";
import { hints } from "./hints.js";

test("does not say that nothing was changed by a write that is durable and not copied", () => {
  const error = new HostError("NOT_COPIED", "The write is durable on this host.");
  expect(hints("documents put", error)).toEqual([]);
  expect(hints("documents put", new HostError("OVERLOADED", "Too many requests."))).toContain(
    "Nothing was changed.",
  );
});
