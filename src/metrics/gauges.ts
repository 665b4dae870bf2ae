import { Gauge, type Registry } from "prom-client";

type Labels = Readonly<Record<string, string>>;

/** A gauge whose series are put in place with each reading: those that are not named any more are gone. */
export type GaugeSetter = (series: readonly (readonly [Labels, number])[]) => void;

/** Makes gauges of one registry. */
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

export const microsToSeconds = (micros: number): number => micros / 1_000_000;
