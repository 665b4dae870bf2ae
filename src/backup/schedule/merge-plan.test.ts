import fc from "fast-check";
import { segmentName } from "../../segment/format.js";
import type { Segment } from "../../segment/manifest.js";
import { planMerge, replaceMerged } from "./merge-plan.js";

function segment(
  kind: "base" | "delta",
  firstMicros: number,
  lastMicros: number,
  sizeBytes: number,
): Segment {
  const content = {
    kind,
    firstMicros,
    lastMicros,
    sizeBytes,
    sha256: "ab".repeat(32),
    records: 1,
    prunes: 0,
  };
  return { ...content, name: segmentName(content) };
}

const kib = 1024;

/** Extends and merges a chain; returns the bytes rewritten by merges of deltas, and the maximum length of the chain. */
function grow(baseBytes: number, sizes: number[]): { rewritten: number; longest: number } {
  let chain = [segment("base", 0, 1, baseBytes)];
  let rewritten = 0;
  let longest = 0;
  for (const size of sizes) {
    const end = chain.at(-1)?.lastMicros ?? 0;
    chain.push(segment("delta", end, end + 1, size));
    longest = Math.max(longest, chain.length);
    const plan = planMerge(chain);
    if (!plan) continue;
    const covered = chain.filter(
      ({ firstMicros, lastMicros }) =>
        firstMicros >= plan.firstMicros && lastMicros <= plan.lastMicros,
    );
    const bytes = covered.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const next = replaceMerged(chain, segment(plan.kind, plan.firstMicros, plan.lastMicros, bytes));
    if (!next) throw new Error(`the chain has no range ${plan.firstMicros} to ${plan.lastMicros}`);
    chain = next;
    if (plan.kind === "delta") rewritten += bytes;
  }
  for (const [i, { firstMicros }] of chain.entries())
    expect(firstMicros).toBe(chain[i - 1]?.lastMicros ?? 0);
  return { rewritten, longest };
}

test("a long-growing chain stays short, and each row is rewritten only a few times", () => {
  const sizes = fc
    .integer({ min: 0, max: 200 })
    .chain((seed) =>
      fc.constant(
        Array.from({ length: 2000 }, (_, i) => (48 + ((i * 7919 + seed * 104_729) % 977)) * kib),
      ),
    );
  fc.assert(
    fc.property(fc.integer({ min: 64, max: 20_000_000 }), sizes, (baseKib, all) => {
      const { rewritten, longest } = grow(baseKib * kib, all);
      const added = all.reduce((sum, size) => sum + size, 0);
      expect(longest).toBeLessThanOrEqual(65);
      expect(rewritten / added).toBeLessThanOrEqual(8);
    }),
    { numRuns: 10 },
  );
});

test("alternating sizes keep the chain short", () => {
  const sizes = Array.from(
    { length: 3000 },
    (_, i) => (i % 11 === 0 ? 40_000 : i % 3 === 0 ? 2000 : 48) * kib,
  );
  expect(grow(100_000_000 * kib, sizes).longest).toBeLessThanOrEqual(80);
});

const chain = [
  segment("base", 0, 10, 1000),
  segment("delta", 10, 20, 5),
  segment("delta", 20, 30, 5),
  segment("delta", 30, 40, 5),
];

test("a merged segment replaces those of its range and keeps later ones", () => {
  const merged = segment("delta", 10, 30, 9);
  expect(replaceMerged(chain, merged)).toEqual([chain[0], merged, chain[3]]);
  const base = segment("base", 0, 30, 1010);
  expect(replaceMerged(chain, base)).toEqual([base, chain[3]]);
});

test.each([
  ["of another chain", segment("delta", 11, 30, 9)],
  ["that ends within a segment", segment("delta", 10, 25, 9)],
  ["of one segment alone", segment("delta", 10, 20, 9)],
  ["that is a base but does not start at the first segment", segment("base", 10, 30, 9)],
])("rejects a merged segment %s", (_what, merged) => {
  expect(replaceMerged(chain, merged)).toBeUndefined();
});

test("does not rewrite a large base for small deltas", () => {
  expect(
    planMerge([segment("base", 0, 10, 100_000_000), segment("delta", 10, 20, 1_000_000)]),
  ).toBeUndefined();
  expect(
    planMerge([segment("base", 0, 10, 16_384), segment("delta", 10, 20, 60_000)]),
  ).toBeUndefined();
  expect(
    planMerge([segment("base", 0, 10, 10_000_000), segment("delta", 10, 20, 6_000_000)]),
  ).toEqual({ kind: "base", firstMicros: 0, lastMicros: 20 });
});
