import type { SelectionFlags } from "./flags.js";

/** The documents that --prefix, --kind and --link choose; undefined where none of them is given: all. */
export function selectionOf({
  prefix = [],
  kind = [],
  link = [],
}: SelectionFlags): { prefixes: string[]; kinds: string[]; links: string[] } | undefined {
  return prefix.length + kind.length + link.length === 0
    ? undefined
    : { prefixes: prefix, kinds: kind, links: link };
}
