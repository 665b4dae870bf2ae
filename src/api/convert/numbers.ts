/**
 * Converts an integer to int64. Times in microseconds and sizes are safe integers in the host;
 * throws RangeError for others, which indicates an internal error.
 */
export function toInt64(value: number): bigint {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an exact integer`);
  return BigInt(value);
}

/**
 * Converts an int64. Field rules guarantee a value from 0 to 2^53 - 1; throws RangeError for
 * others.
 */
export function fromInt64(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < 0n)
    throw new RangeError(`${value} is not between 0 and 2^53 - 1`);
  return Number(value);
}

/** Like toInt64, for an optional value. */
export function optionalToInt64(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : toInt64(value);
}

/** Like fromInt64, for an optional value. */
export function optionalFromInt64(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : fromInt64(value);
}
