/**
 * Microseconds and sizes are exact numbers below 2^53 in the host and int64 in messages. A number that is not exact is a
 * fault of ours, so it is not sent.
 */
export function toInt64(value: number): bigint {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an exact integer`);
  return BigInt(value);
}

/** Rules on the fields keep them below 2^53. */
export function fromInt64(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < 0n)
    throw new RangeError(`${value} is not below 2^53`);
  return Number(value);
}

export function optionalToInt64(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : toInt64(value);
}

export function optionalFromInt64(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : fromInt64(value);
}
