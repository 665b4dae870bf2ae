/**
 * Parses a JSON number or string of digits as an exact integer. Returns undefined for anything
 * else.
 */
export function exactInteger(raw: string): bigint | undefined {
  const text = raw.startsWith('"') && raw.endsWith('"') && raw.length > 2 ? raw.slice(1, -1) : raw;
  if (/^-?\d{1,1000}$/.test(text)) return BigInt(text);
  const match = /^(-?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const shift = Number(exponent) - fraction.length;
  if (shift > 40) return undefined;
  const digits = BigInt(whole + fraction);
  const signed = sign === "-" ? -digits : digits;
  if (shift >= 0) return signed * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  return signed % divisor === 0n ? signed / divisor : undefined;
}

const int64Max = 2n ** 63n - 1n;

/** Whether a value fits into a signed 64-bit integer. */
export function isInt64(value: bigint): boolean {
  return value <= int64Max && value >= -int64Max - 1n;
}
