import type {
  BackupPolicyJson,
  DeliveryJson,
  ListDeliveriesResponseJson,
  ListPolicyRunsResponseJson,
  PolicyRunJson,
  PolicyRunKindJson,
  PreviewPolicyResponseJson,
  TestNotificationsResponseJson,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { get, post, remove } from "./request.js";

/** Calls of /v1 on policies. */

const pathOf = (name: string) => `/v1/policies/${encodeURIComponent(name)}`;

/** Checks a policy and its destinations, and creates nothing. */
export const validatePolicy = (policy: BackupPolicyJson) =>
  post<BackupPolicyJson>("/v1/policies?validate_only=true", policy);

export const createPolicy = (policy: BackupPolicyJson) =>
  post<BackupPolicyJson>("/v1/policies", policy);

export const pausePolicy = (name: string) => post<BackupPolicyJson>(`${pathOf(name)}:pause`, {});

export const resumePolicy = (name: string) => post<BackupPolicyJson>(`${pathOf(name)}:resume`, {});

export const removePolicy = (name: string) => remove<object>(pathOf(name));

export const runPolicy = (name: string, kind: PolicyRunKindJson) =>
  post<PolicyRunJson>(`${pathOf(name)}:run`, { kind });

/** What retention would keep and remove now. */
export const previewPolicy = (name: string) =>
  post<PreviewPolicyResponseJson>(`${pathOf(name)}:preview`, {});

export const listPolicyRuns = (name: string, count: number, signal?: AbortSignal) =>
  get<ListPolicyRunsResponseJson>(`${pathOf(name)}/runs`, { page_size: count }, signal);

export const listDeliveries = (name: string, signal?: AbortSignal) =>
  get<ListDeliveriesResponseJson>(`${pathOf(name)}/deliveries`, {}, signal);

export const replayDelivery = (id: string) =>
  post<DeliveryJson>(`/v1/deliveries/${encodeURIComponent(id)}:replay`, {});

export const testNotifications = (name: string) =>
  post<TestNotificationsResponseJson>(`${pathOf(name)}:testNotifications`, {});
