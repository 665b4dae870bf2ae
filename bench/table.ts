import { cpus, loadavg } from "node:os";
import type { Memory } from "./process-tools.js";

interface Row {
  work: string;
  measured: string;
  reference: string;
  ratio: string;
  mark: string;
}
const rows: Row[] = [];

export const ms = (value: number) =>
  value >= 1000 ? `${(value / 1000).toFixed(2)} s` : `${value.toFixed(0)} ms`;
export const mib = (bytes: number) => `${(bytes / 1048576).toFixed(1)} MiB`;
export const median = (values: number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

export function row(
  work: string,
  measured: string,
  reference: string,
  ratio: number | undefined,
  mark: string,
): void {
  rows.push({
    work,
    measured,
    reference,
    ratio: ratio === undefined ? "" : ratio.toFixed(2),
    mark,
  });
  process.stderr.write(
    `${work}: ${measured}${reference ? ` against ${reference}` : ""}${ratio === undefined ? "" : `, ${ratio.toFixed(2)}`}\n`,
  );
}

/** The rows so far that have a ratio. */
export const ratios = (): { work: string; ratio: number; mark: string }[] =>
  rows
    .filter(({ ratio }) => ratio !== "")
    .map(({ work, ratio, mark }) => ({ work, ratio: Number(ratio), mark }));

export function memoryRow(work: string, { growth, child }: Memory): void {
  row(
    `${work}: memory`,
    `host +${growth.toFixed(0)} MiB, child ${child.toFixed(0)} MiB`,
    "",
    undefined,
    "< +64, child < 160",
  );
}

/** All rows so far as a table in Markdown, below what they were measured on. */
export function printTable(): void {
  const [cpu] = cpus();
  console.log(
    `\nNode ${process.version}, ${cpus().length} x ${cpu?.model ?? "unknown"}, load average ${loadavg()
      .map((one) => one.toFixed(1))
      .join(" ")}\n`,
  );
  console.log("| work | measured | reference | ratio | mark |\n|---|---|---|---|---|");
  for (const { work, measured, reference, ratio, mark } of rows)
    console.log(`| ${work} | ${measured} | ${reference} | ${ratio} | ${mark} |`);
}
