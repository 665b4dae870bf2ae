/** Bytes from `start` up to, but not with, `end`. */
export interface Span {
  start: number;
  end: number;
}

/** Which bytes of a file are there: as few spans as say it, in order. */
export interface Spans {
  readonly list: readonly Span[];
  add(span: Span): void;
  remove(span: Span): void;
  /** The parts of a span that are there, in order. */
  within(span: Span): Span[];
}

export function createSpans(): Spans {
  const list: Span[] = [];

  /** The first span that ends at or behind the place. */
  function firstFrom(place: number): number {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((list[middle]?.end ?? 0) < place) low = middle + 1;
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
      const left: Span[] = [];
      for (let next = list[to]; next !== undefined && next.start < end; next = list[(to += 1)]) {
        if (next.start < start) left.push({ start: next.start, end: Math.min(next.end, start) });
        if (next.end > end) left.push({ start: end, end: next.end });
      }
      list.splice(from, to - from, ...left);
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
