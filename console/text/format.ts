const units: [micros: number, name: string][] = [
  [86_400e6, "d"],
  [3_600e6, "h"],
  [60e6, "min"],
  [1e6, "s"],
];

/** A duration in its two greatest units, for example "2 h 5 min" or "0.6 s". */
export function duration(micros: number): string {
  const size = Math.max(0, micros);
  if (size < 10e6) return `${(size / 1e6).toFixed(size < 1e6 ? 2 : 1)} s`;
  const at = units.findIndex(([unit]) => size >= unit);
  const [unit = 1e6, name = "s"] = units[at] ?? [];
  const [next, nextName] = units[at + 1] ?? [];
  const whole = Math.floor(size / unit);
  const rest = next === undefined ? 0 : Math.floor((size % unit) / next);
  return rest > 0 ? `${whole} ${name} ${rest} ${nextName}` : `${whole} ${name}`;
}

export const ago = (micros: number, nowMicros: number) => `${duration(nowMicros - micros)} ago`;

/** How far a time is away: "3 min ago", or "in 5 h 20 min". */
export const fromNow = (micros: number, nowMicros: number) =>
  micros > nowMicros ? `in ${duration(micros - nowMicros)}` : ago(micros, nowMicros);

const pad = (value: number, width = 2) => String(value).padStart(width, "0");

/** A time in the zone of this browser, to the microsecond. */
export function localTime(micros: number): string {
  const date = new Date(Math.floor(micros / 1000));
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${day} ${time}.${pad(micros % 1e6, 6)}`;
}

/** The same to the second. */
export const localSecond = (micros: number) => localTime(micros).slice(0, 19);

/** The same in UTC, as the command line and the API write it. */
export function utcTime(micros: number): string {
  const text = new Date(Math.floor(micros / 1000)).toISOString();
  return `${text.slice(0, 19)}.${pad(micros % 1e6, 6)}Z`;
}

/** The name of the zone of this browser. */
export const localZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

export const count = (value: number | string | undefined) =>
  Number(value ?? 0)
    .toLocaleString("en")
    .replaceAll(",", "\u202f");

/** How many of something: "1 backup", "2 backups". */
export const counted = (value: number, name: string) =>
  `${count(value)} ${name}${value === 1 ? "" : "s"}`;

const sizes = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value: number | string | undefined): string {
  const size = Number(value ?? 0);
  const power = size < 1 ? 0 : Math.min(sizes.length - 1, Math.floor(Math.log2(size) / 10));
  const scaled = size / 1024 ** power;
  return `${scaled >= 100 || power === 0 ? scaled.toFixed(0) : scaled.toFixed(1)} ${sizes[power]}`;
}
