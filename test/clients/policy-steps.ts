import {
  PolicyRunKind,
  PolicyRunState,
  PolicyState,
  type BackupPolicy,
  type PolicyRun,
} from "../../clients/typescript/src/index.js";
import { eventually } from "../support/eventually.js";
import { text, uriOf, type Outcome, type Step, type World } from "./step.js";

const policyStep = ({ name, status }: BackupPolicy): Outcome => ({
  name,
  state: PolicyState[status?.state ?? 0]?.replace("POLICY_STATE_", ""),
  healthy: status?.healthy,
  count: status?.nextRunsMicros.length,
});
const runStep = (run: PolicyRun): Outcome => ({
  kind: PolicyRunKind[run.kind].replace("POLICY_RUN_KIND_", ""),
  state: PolicyRunState[run.state].replace("POLICY_RUN_STATE_", ""),
});
const schedule = (step: Step) => ({
  when: { $case: "cron" as const, value: text(step["cron"]) },
});
const nameOf = (step: Step) => ({ name: text(step["name"]) });

/** The steps of PolicyService. */
export const policySteps: Record<string, (world: World, step: Step) => Promise<Outcome | void>> = {
  async createPolicy(world, step) {
    const policy = await world.client.policies.createPolicy({
      policy: {
        ...nameOf(step),
        destination: uriOf(world, step["destination"]),
        schedule: schedule(step),
      },
      validateOnly: step["validateOnly"] === true,
    });
    return policyStep(policy);
  },
  async getPolicy({ client, kept }, step) {
    const policy = await client.policies.getPolicy(nameOf(step));
    if (step["keepEtag"]) kept.set(text(step["keepEtag"]), policy.etag);
    return policyStep(policy);
  },
  listPolicies: async ({ client }) => ({
    contains: (await client.policies.listPolicies({})).policies.map(({ name }) => name),
  }),
  async updatePolicy({ client }, step) {
    const policy = await client.policies.getPolicy(nameOf(step));
    const changed = { ...policy, schedule: schedule(step), etag: text(step["etag"]) };
    return policyStep(await client.policies.updatePolicy({ policy: changed }));
  },
  deletePolicy: async ({ client }, step) => void (await client.policies.deletePolicy(nameOf(step))),
  pausePolicy: async ({ client }, step) =>
    policyStep(await client.policies.pausePolicy(nameOf(step))),
  resumePolicy: async ({ client }, step) =>
    policyStep(await client.policies.resumePolicy(nameOf(step))),
  async runPolicy({ client, kept }, step) {
    const run = await client.policies.runPolicy(nameOf(step));
    if (step["keepRun"]) kept.set(text(step["keepRun"]), run.id);
    return runStep(run);
  },
  /** Waits until the run of the step has ended. */
  async listPolicyRuns({ client }, step) {
    const runs = await eventually(async () => {
      const listed = (await client.policies.listPolicyRuns(nameOf(step))).runs;
      const run = listed.find(({ id }) => id === step["run"]);
      const ended = run && run.state !== PolicyRunState.POLICY_RUN_STATE_RUNNING;
      return ended ? listed : undefined;
    });
    const run = runs.find(({ id }) => id === step["run"]);
    return { count: runs.length, ...(run && runStep(run)) };
  },
  async previewPolicy({ client }, step) {
    const { decisions } = await client.policies.previewPolicy({
      ...nameOf(step),
      retention: { keepLast: Number(step["keepLast"]) },
    });
    return { count: decisions.filter(({ keep }) => keep).length };
  },
  listDeliveries: async ({ client }, step) => ({
    count: (await client.policies.listDeliveries(nameOf(step))).deliveries.length,
  }),
  testNotifications: async ({ client }, step) => ({
    count: (await client.policies.testNotifications(nameOf(step))).deliveries.length,
  }),
  replayDelivery: async ({ client }, step) =>
    void (await client.policies.replayDelivery({ id: text(step["id"]) })),
};
