import type { PolicyService } from "../../src/service/policies/policy-service.js";

const refuse = (): never => {
  throw new Error("this test has no policies");
};

/** A host without policies. */
export const noPolicies: PolicyService = {
  list: () => Promise.resolve([]),
  get: refuse,
  create: refuse,
  update: refuse,
  remove: refuse,
  setPaused: refuse,
  run: refuse,
  preview: refuse,
  runs: refuse,
  deliveries: refuse,
  replayDelivery: refuse,
  testNotifications: refuse,
};
