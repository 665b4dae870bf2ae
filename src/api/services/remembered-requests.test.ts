import { limits } from "../../limits.js";
import { rememberRequests } from "./remembered-requests.js";

const counting = () => {
  let runs = 0;
  return { once: rememberRequests<number>(), work: async () => ++runs };
};

test("returns the result of the first request for a repeated one, also while it runs", async () => {
  const { once, work } = counting();
  expect(await Promise.all([once("a", "x", work), once("a", "x", work)])).toEqual([1, 1]);
  expect(await once("a", "x", work)).toBe(1);
  expect(await once("b", "x", work)).toBe(2);
});

test("does not deduplicate requests without an ID", async () => {
  const { once, work } = counting();
  expect(await once("", "x", work)).toBe(1);
  expect(await once("", "x", work)).toBe(2);
});

test("rejects an ID reused for a different request", async () => {
  const { once, work } = counting();
  await once("a", "x", work);
  await expect(once("a", "y", work)).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
});

test("allows retries of failed requests", async () => {
  const { once, work } = counting();
  await expect(once("a", "x", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await once("a", "x", work)).toBe(1);
});

test("forgets the oldest IDs", async () => {
  const { once, work } = counting();
  for (let i = 0; i <= limits.operations; i++) await once(`id-${i}`, "x", work);
  expect(await once("id-1", "x", work)).toBe(2);
  expect(await once("id-0", "x", work)).toBe(limits.operations + 2);
});
