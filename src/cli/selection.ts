import type { SelectionFlags } from "./flags.js";

/**
 * Returns the selection of --prefix, --kind and --link; undefined, which selects all documents, if
 * none is given.
 */
export function selectionOf({
  prefix = [],
  kind = [],
  link = [],
}: SelectionFlags): { prefixes: string[]; kinds: string[]; links: string[] } | undefined {
  return prefix.length + kind.length + link.length === 0
    ? undefined
    : { prefixes: prefix, kinds: kind, links: link };
}
