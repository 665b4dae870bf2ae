import type { ServiceImpl } from "@connectrpc/connect";
import type {
  BackupPolicy,
  PolicyService as PolicyServiceDescriptor,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import { HostError } from "../../errors.js";
import type { PolicyService } from "../../service/policies/policy-service.js";
import {
  fromPolicy,
  fromRetention,
  fromRunKind,
  toDelivery,
  toPolicy,
  toPolicyRun,
} from "../convert/policy.js";
import { toInt64 } from "../convert/numbers.js";
import { readPageToken, writePageToken } from "../convert/page-token.js";

const runsPage = 100;
const policiesPage = 100;
const policiesListing = "policies";

/** Implements PolicyService. */
export function policyServiceImpl(
  policies: PolicyService,
): ServiceImpl<typeof PolicyServiceDescriptor> {
  return {
    createPolicy: async ({ policy, validateOnly }) =>
      toPolicy(await policies.create(fromPolicy(given(policy)), { validateOnly })),
    getPolicy: async ({ name }) => toPolicy(await policies.get(name)),
    async listPolicies({ pageSize, pageToken }) {
      const count = pageSize || policiesPage;
      const after = readPageToken(policiesListing, pageToken);
      const views = await policies.list({ count: count + 1, after });
      const page = views.slice(0, count);
      const last = page.at(-1);
      return {
        policies: page.map(toPolicy),
        nextPageToken:
          views.length > count && last
            ? writePageToken(policiesListing, last.policy.spec.name)
            : "",
      };
    },
    async updatePolicy({ policy, validateOnly }) {
      const revision = revisionOf(given(policy));
      return toPolicy(await policies.update(fromPolicy(given(policy)), { validateOnly, revision }));
    },
    async deletePolicy({ name }) {
      await policies.remove(name);
      return {};
    },
    pausePolicy: async ({ name }) => toPolicy(await policies.setPaused(name, true)),
    resumePolicy: async ({ name }) => toPolicy(await policies.setPaused(name, false)),
    runPolicy: ({ name, kind }) => toPolicyRun(policies.run(name, fromRunKind(kind))),
    async previewPolicy({ name, retention }, { signal }) {
      const rules = retention && fromRetention(retention);
      const { destinations, nextRunsMicros } = await policies.preview(name, rules, signal);
      return {
        decisions: destinations.flatMap(({ destination, decisions }) =>
          decisions.map(({ name: backupName, keep, reasons, createTimeMicros }) => ({
            destination,
            backupName,
            keep,
            reasons,
            createTimeMicros: toInt64(createTimeMicros),
          })),
        ),
        nextRunsMicros: nextRunsMicros.map(toInt64),
        warnings: destinations.flatMap(({ problem }) => problem ?? []),
        freedBytes: toInt64(destinations.reduce((sum, { freedBytes }) => sum + freedBytes, 0)),
      };
    },
    async listPolicyRuns({ name, pageSize, pageToken }) {
      const listing = `runs of ${name}`;
      const after = readPageToken(listing, pageToken);
      const { runs, hasMore } = await policies.runs(name, pageSize || runsPage, after);
      const last = runs.at(-1);
      return {
        runs: runs.map(toPolicyRun),
        nextPageToken: hasMore && last ? writePageToken(listing, last.id) : "",
      };
    },
    listDeliveries: ({ name }) => ({ deliveries: policies.deliveries(name).map(toDelivery) }),
    replayDelivery: async ({ id }) => toDelivery(await policies.replayDelivery(id)),
    testNotifications: async ({ name }) => ({
      deliveries: (await policies.testNotifications(name)).map(toDelivery),
    }),
  };
}

/** The rules of the field require it. */
function given(policy: BackupPolicy | undefined): BackupPolicy {
  if (policy) return policy;
  throw new HostError("REQUEST_INVALID", "policy: is required.", { metadata: { field: "policy" } });
}

function revisionOf({ etag }: BackupPolicy): number | undefined {
  if (etag === "") return undefined;
  const revision = Number(etag);
  if (Number.isSafeInteger(revision)) return revision;
  throw new HostError("REQUEST_INVALID", "etag: must be one that the host returned.", {
    metadata: { field: "etag" },
  });
}
