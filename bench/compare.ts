import { median, row } from "./table.js";

/** Two measurements, taken in turns. */
export interface Comparison {
  work: string;
  /** The goal for the ratio. Default: none. */
  mark?: string;
  /** Names the reference. */
  what: string;
  show: (value: number) => string;
  ours: () => Promise<number>;
  reference: () => Promise<number>;
  /** Of times, the ratio is that of the speeds too: above 1, ours is the faster one. */
  kind?: "rate" | "time";
}

/** Compares in three rounds, reference and ours in turn, and adds the round with the median ratio to the table. */
export async function compare(comparison: Comparison): Promise<void> {
  const { work, mark = "", what, show, ours, reference, kind = "rate" } = comparison;
  const rounds: { ours: number; reference: number; ratio: number }[] = [];
  for (let round = 0; round < 3; round += 1) {
    const theirs = await reference();
    const own = await ours();
    const ratio = kind === "rate" ? own / theirs : theirs / own;
    rounds.push({ reference: theirs, ours: own, ratio });
  }
  const middle = median(rounds.map(({ ratio }) => ratio));
  const shown = rounds.find(({ ratio }) => ratio === middle);
  row(work, show(shown?.ours ?? 0), `${what}: ${show(shown?.reference ?? 0)}`, middle, mark);
}
