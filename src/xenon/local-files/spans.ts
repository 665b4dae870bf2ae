/** A range of bytes; `end` is exclusive. */
export interface Span {
  start: number;
  end: number;
}

/** A set of bytes as sorted, disjoint spans. */
export interface Spans {
  readonly list: readonly Span[];
  /** Adds the bytes of a span. */
  add(span: Span): void;
  /** Removes the bytes of a span. */
  remove(span: Span): void;
  /** Returns the parts of a span that are in the set, in order. */
  within(span: Span): Span[];
}

/** Creates an empty set. */
export function createSpans(): Spans {
  const list: Span[] = [];

  /** Returns the index of the first span that ends at or after the position. */
  function firstFrom(position: number): number {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((list[middle]?.end ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    list,
    add({ start, end }) {
      if (start >= end) return;
      const from = firstFrom(start);
      let to = from;
      const merged = { start, end };
      for (let next = list[to]; next !== undefined && next.start <= end; next = list[(to += 1)]) {
        merged.start = Math.min(merged.start, next.start);
        merged.end = Math.max(merged.end, next.end);
      }
      list.splice(from, to - from, merged);
    },
    remove({ start, end }) {
      if (start >= end) return;
      const from = firstFrom(start);
      let to = from;
      const remaining: Span[] = [];
      for (let next = list[to]; next !== undefined && next.start < end; next = list[(to += 1)]) {
        if (next.start < start)
          remaining.push({ start: next.start, end: Math.min(next.end, start) });
        if (next.end > end) remaining.push({ start: end, end: next.end });
      }
      list.splice(from, to - from, ...remaining);
    },
    within({ start, end }) {
      const parts: Span[] = [];
      for (
        let i = firstFrom(start), next = list[i];
        next !== undefined && next.start < end;
        next = list[(i += 1)]
      ) {
        const part = { start: Math.max(start, next.start), end: Math.min(end, next.end) };
        if (part.start < part.end) parts.push(part);
      }
      return parts;
    },
  };
}
