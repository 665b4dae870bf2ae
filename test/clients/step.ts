import { join } from "node:path";
import type { HoldfastClient } from "../../clients/typescript/src/index.js";
import type { CuttingProxy } from "../support/cutting-proxy.js";

/** A step; values that start with $ are already resolved. */
export type Step = Record<string, string | number | boolean | string[] | undefined> & {
  do: string;
};

export interface World {
  client: HoldfastClient;
  proxy: CuttingProxy;
  directory: string;
  kept: Map<string, string>;
}

/** Result of a step, for `expect`. */
export type Outcome = Record<string, unknown>;

/** A text of a step; empty if the step has none. */
export const text = (value: unknown) => (typeof value === "string" ? value : "");

/** The file: URI of a path in the directory; URIs of transfers are unchanged. */
export function uriOf({ directory }: World, destination: unknown): string {
  const name = text(destination);
  return name.startsWith("transfer:") ? name : `file:${join(directory, name)}`;
}
