import { Gauge, type Registry } from "prom-client";

type Labels = Readonly<Record<string, string>>;

/** Replaces all series of a gauge. */
export type GaugeSetter = (series: readonly (readonly [Labels, number])[]) => void;

/** Returns a function that creates gauges in a registry. */
export function gaugesOf(
  registry: Registry,
): (name: string, help: string, labelNames?: readonly string[]) => GaugeSetter {
  return (name, help, labelNames = []) => {
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    return (series) => {
      gauge.reset();
      for (const [labels, value] of series) gauge.set(labels, value);
    };
  };
}

/** Converts microseconds to seconds. */
export const microsToSeconds = (micros: number): number => micros / 1_000_000;
