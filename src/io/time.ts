/** Last millisecond of the year 9999, the last year of RFC 3339. */
const lastMs = 253_402_300_799_999;

/**
 * Formats microseconds since 1970 as RFC 3339 in UTC with six decimals, which parses back exactly.
 * Other years than 1970 to 9999 are formatted as a number of microseconds.
 */
export function formatTime(time: bigint | number): string {
  const micros = BigInt(time);
  const ms = Number(micros / 1000n);
  if (micros < 0n || ms > lastMs) return `${micros} microseconds since 1970`;
  const seconds = new Date(ms).toISOString().slice(0, -".000Z".length);
  return `${seconds}.${(micros % 1_000_000n).toString().padStart(6, "0")}Z`;
}
