import type { PolicySpec } from "../../src/policy/policy.js";
import type { HostFixture } from "./host-fixture.js";

/** A policy "daily" that backs up the durable index of a host to its directory "primary". */
export function policySpec(fixture: HostFixture, more: Partial<PolicySpec> = {}): PolicySpec {
  return {
    name: "daily",
    indexLink: "/core/document-index",
    destination: fixture.uri("primary"),
    recipients: [],
    schedule: { kind: "cron", expression: "0 3 * * *", timeZone: "Europe/Berlin" },
    timeZone: "Europe/Berlin",
    jitterMs: 0,
    copies: [],
    webhooks: [],
    heartbeats: [],
    acknowledge: "LOCAL",
    whenUnreachable: "FAIL",
    ...more,
  };
}
