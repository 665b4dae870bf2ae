/**
 * Returns a text that is equal for requests with equal fields, so that a repeated request ID can be
 * recognized as a retry or rejected. It includes all fields except those in `except`, so that new
 * fields are included automatically.
 */
export function fingerprintOf<T extends object>(request: T, except: readonly (keyof T)[]): string {
  const compared = Object.entries(request).filter(([name]) => !except.includes(name as keyof T));
  return JSON.stringify(canonical(Object.fromEntries(compared)));
}

function canonical(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, canonical(one)]),
  );
}
