import { limits } from "../../limits.js";

/** Milliseconds in a unit of grpc-timeout. */
const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * Limits a requested deadline to limits.maxDeadlineMs. A timer cannot represent longer delays: Node
 * would fire it immediately. Malformed deadlines are left to Connect.
 */
export function clampDeadline(header: Headers): void {
  const connect = header.get("connect-timeout-ms");
  if (connect !== null && Number(connect) > limits.maxDeadlineMs)
    header.set("connect-timeout-ms", String(limits.maxDeadlineMs));
  const [, amount, unit = ""] = /^(\d{1,8})([HMS])$/.exec(header.get("grpc-timeout") ?? "") ?? [];
  if (Number(amount ?? 0) * (units[unit] ?? 0) > limits.maxDeadlineMs)
    header.set("grpc-timeout", `${Math.floor(limits.maxDeadlineMs / 1000)}S`);
}
