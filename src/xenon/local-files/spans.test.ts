import fc from "fast-check";
import { createSpans } from "./spans.js";

const span = fc
  .tuple(fc.nat(60), fc.nat(20))
  .map(([start, length]) => ({ start, end: start + length }));

test("keeps a minimal list of spans for any sequence of additions and removals", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(span, fc.integer({ min: 0, max: 3 })), { maxLength: 30 }),
      span,
      (steps, asked) => {
        const spans = createSpans();
        const there = new Set<number>();
        for (const [one, kind] of steps) {
          // Every fourth operation removes a span.
          const bytesOf = Array.from({ length: one.end - one.start }, (_, i) => one.start + i);
          if (kind === 0) {
            spans.remove(one);
            for (const at of bytesOf) there.delete(at);
          } else {
            spans.add(one);
            for (const at of bytesOf) there.add(at);
          }
        }
        const bytes = (list: readonly { start: number; end: number }[]) =>
          list.flatMap(({ start, end }) =>
            Array.from({ length: end - start }, (_, i) => start + i),
          );
        expect(bytes(spans.list)).toEqual([...there].sort((a, b) => a - b));
        spans.list
          .slice(1)
          .forEach(({ start }, i) => expect(start).toBeGreaterThan(spans.list[i]?.end ?? 0));
        expect(bytes(spans.within(asked))).toEqual(
          [...there].filter((at) => at >= asked.start && at < asked.end).sort((a, b) => a - b),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test("merges many spans with gaps into one", () => {
  const spans = createSpans();
  // Every fourth span first, then those between: up to 16,384 gaps at a time.
  for (const offset of [0, 2, 1, 3])
    for (let i = offset; i < 65_536; i += 4) spans.add({ start: i, end: i + 1 });
  expect(spans.list).toEqual([{ start: 0, end: 65_536 }]);
});
