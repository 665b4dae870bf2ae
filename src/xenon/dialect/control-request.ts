import { parseMembers, type Members } from "../../document/members.js";
import { HostError } from "../../errors.js";
import type { HostControl } from "../../service/host/host-control.js";
import type { AuditEvent } from "../../service/host/auditor.js";
import { loggingAtStart, type RequestLogging } from "../../service/host/requests.js";
import { echoOf, stringField } from "./request-fields.js";

/** A PATCH of /core/management that changes a setting of the host, and the response to it. */
export interface ControlRequest {
  action: "control";
  /** The action in the audit log. */
  event: AuditEvent;
  apply(control: HostControl): Promise<void>;
  echo: string;
}

type Read = (members: Members, kind: string) => ControlRequest;

/** Parsers by the last segment of the kind. */
export const controlKinds: ReadonlyMap<string, Read> = new Map<string, Read>([
  ["AutoBackupConfiguration", autoBackup],
  ["ConfigureInboundRequestLogging", requestLogging],
  ["ConfigureOperationTracingRequest", operationTracing],
  ["SynchronizeWithPeersRequest", synchronize],
]);

/** A missing `enable` disables automatic backups, as in Xenon. */
function autoBackup(members: Members, kind: string): ControlRequest {
  const enable = booleanField(members, "enable") ?? false;
  return {
    action: "control",
    event: { action: "ConfigureAutoBackup", subject: `enabled=${enable}` },
    apply: async (control) => void (await control.configureAutoBackup(enable)),
    echo: echoOf([
      ["enable", enable],
      ["kind", kind],
    ]),
  };
}

const loggingFields = [
  "enabled",
  "skipGossipRequests",
  "skipSynchronizationRequests",
  "skipForwardingRequests",
] as const;

/** Missing fields are reset to the values of a new host, as in Xenon. */
function requestLogging(members: Members, kind: string): ControlRequest {
  const raw = members.get("loggingInfo");
  if (raw === undefined || raw === "null")
    throw new HostError("REQUEST_INVALID", "loggingInfo is missing");
  if (!raw.startsWith("{"))
    throw new HostError(
      "JSON_INVALID",
      `Unparseable JSON body: loggingInfo must be an object, found ${raw.slice(0, 40)}.`,
    );
  const given = parseMembers(raw);
  const logging: RequestLogging = { ...loggingAtStart };
  for (const name of loggingFields) logging[name] = booleanField(given, name) ?? logging[name];
  return {
    action: "control",
    event: { action: "ConfigureRequestLogging", subject: `enabled=${logging.enabled}` },
    apply: async (control) => void control.configureRequestLogging(logging),
    echo: `{"loggingInfo":${JSON.stringify(logging)},"kind":${JSON.stringify(kind)}}`,
  };
}

/** A missing `enable` starts tracing, as in Xenon. */
function operationTracing(members: Members, kind: string): ControlRequest {
  const enable = stringField(members, "enable") ?? "START";
  const level = stringField(members, "level");
  if (enable !== "START" && enable !== "STOP") {
    throw new HostError(
      "REQUEST_INVALID",
      `enable must be START or STOP, not ${JSON.stringify(enable.slice(0, 100))}.`,
    );
  }
  return {
    action: "control",
    event: { action: "ConfigureOperationTracing", subject: `enabled=${enable === "START"}` },
    apply: async (control) => void control.configureOperationTracing(enable === "START", level),
    echo: echoOf([
      ["enable", enable],
      ["level", level],
      ["kind", kind],
    ]),
  };
}

function synchronize(members: Members, kind: string): ControlRequest {
  const path = stringField(members, "nodeSelectorPath") ?? "";
  return {
    action: "control",
    event: { action: "SynchronizeWithPeers" },
    apply: async (control) => void (await control.synchronizeWithPeers(path)),
    echo: echoOf([
      ["nodeSelectorPath", path],
      ["kind", kind],
    ]),
  };
}

function booleanField(members: Members, name: string): boolean | undefined {
  const raw = members.get(name);
  if (raw === undefined || raw === "null") return undefined;
  const text = raw.replace(/^"(.*)"$/, "$1").toLowerCase();
  if (text === "true" || text === "false") return text === "true";
  throw new HostError(
    "JSON_INVALID",
    `Unparseable JSON body: ${name} must be true or false, found ${raw.slice(0, 40)}.`,
  );
}
