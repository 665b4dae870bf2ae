import { limits } from "../../limits.js";

/** Milliseconds in a unit of grpc-timeout. */
const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * Limits a requested deadline to limits.deadlineMs. A timer cannot represent longer delays: Node
 * would fire it immediately. Malformed deadlines are left to Connect.
 */
export function clampDeadline(header: Headers): void {
  const connect = header.get("connect-timeout-ms");
  if (connect !== null && Number(connect) > limits.deadlineMs)
    header.set("connect-timeout-ms", String(limits.deadlineMs));
  const [, amount, unit = ""] = /^(\d{1,8})([HMS])$/.exec(header.get("grpc-timeout") ?? "") ?? [];
  if (Number(amount ?? 0) * (units[unit] ?? 0) > limits.deadlineMs)
    header.set("grpc-timeout", `${Math.floor(limits.deadlineMs / 1000)}S`);
}
