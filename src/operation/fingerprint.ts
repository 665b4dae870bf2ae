/**
 * Identifies what a request asks for, so that a repeated request id is recognised as the same
 * request or refused as another one. Made of every field except those named, so that a new field
 * cannot be forgotten.
 */
export function fingerprintOf<T extends object>(request: T, except: readonly (keyof T)[]): string {
  const left = Object.entries(request).filter(([name]) => !except.includes(name as keyof T));
  return JSON.stringify(canonical(Object.fromEntries(left)));
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
