import { createHash } from "node:crypto";
import { policyEventTypes, type PolicyEventType } from "./event.js";

/** A notification to one webhook. Contains neither the secret nor the query of the URL. */
export interface Delivery {
  /** The webhook-id of all attempts. */
  id: string;
  policy: string;
  event: PolicyEventType;
  /** Scheme, host and path. */
  url: string;
  /** FAILED: the host makes no further attempt. */
  state: "PENDING" | "DELIVERED" | "FAILED";
  attempts: number;
  /** Status of the last response. 0: the last attempt got none. */
  lastStatus: number;
  /** Why the last attempt failed, or why there was none. Empty: it succeeded. */
  lastError: string;
  createTimeMicros: number;
  /** 0: never. */
  lastAttemptMicros: number;
  /** 0: none. */
  nextAttemptMicros: number;
}

/** A delivery as the host stores it. */
export interface StoredDelivery extends Delivery {
  /** Finds the target without storing the query of its URL, which may contain a secret. */
  urlSha256: string;
  /** The same bytes at each attempt. */
  body: string;
  /** Attempts since the delivery was created or replayed. */
  tries: number;
}

/** Returns what users see of a delivery. */
export function toDelivery({
  urlSha256: _,
  body: _body,
  tries: _tries,
  ...shown
}: StoredDelivery): Delivery {
  return shown;
}

/** Returns the digest by which a delivery names its target. */
export const urlDigest = (url: string) => createHash("sha256").update(url).digest("hex");

/** Whether a value of the file is a delivery. */
export function isStoredDelivery(value: unknown): value is StoredDelivery {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  const texts = ["id", "policy", "url", "lastError", "urlSha256", "body"];
  const numbers = [
    "attempts",
    "lastStatus",
    "createTimeMicros",
    "lastAttemptMicros",
    "nextAttemptMicros",
    "tries",
  ];
  return (
    texts.every((name) => typeof fields[name] === "string") &&
    numbers.every((name) => Number.isSafeInteger(fields[name])) &&
    (policyEventTypes as readonly unknown[]).includes(fields["event"]) &&
    ["PENDING", "DELIVERED", "FAILED"].includes(String(fields["state"]))
  );
}
