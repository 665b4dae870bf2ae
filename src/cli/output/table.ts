import Table from "cli-table3";
import { printable } from "./printable.js";

export interface Column {
  head: string;
  right?: boolean;
}

const none = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Columns as wide as they need to be, without lines, so that other programs can cut them too. */
export function table(columns: Column[], rows: string[][]): string {
  const made = new Table({
    head: columns.map(({ head }) => head),
    colAligns: columns.map(({ right }) => (right ? "right" : "left")),
    chars: none,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  made.push(...rows.map((row) => row.map(printable)));
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Names on the left, values beside them. */
export function list(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join("\n");
}
