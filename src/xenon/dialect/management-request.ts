import { exactInteger } from "../../document/integers.js";
import { parseMembers, type Members } from "../../document/members.js";
import { HostError } from "../../errors.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import { controlKinds, type ControlRequest } from "./control-request.js";
import { echoOf, stringField } from "./request-fields.js";
import type { BackupRequest } from "../../backup/backup-request.js";
import type { ContainerKind } from "../../segment/description.js";
import type { RestoreRequest } from "../../backup/restore-request.js";

/** A parsed PATCH of /core/management, and the response to send when the work is done. */
export type ManagementRequest =
  | ControlRequest
  | { action: "backup"; request: BackupRequest; echo: string }
  | { action: "restore"; request: RestoreRequest; echo: string };

const kindPrefix = "com:vmware:xenon:services:common:ServiceHostManagementService:";

/**
 * Parses a request and applies Xenon's defaults. Unknown fields are ignored. Throws
 * REQUEST_INVALID, JSON_INVALID and DESTINATION_INVALID.
 */
export function readManagementRequest(
  text: string,
  indexLinks: readonly string[],
  service?: BackupService,
): ManagementRequest {
  if (text.trim() === "") throw new HostError("REQUEST_INVALID", "empty body");
  const members = parseMembers(text);
  const kind = stringField(members, "kind");
  if (kind === undefined || kind === "") throw new HostError("REQUEST_INVALID", "kind is required");
  const name = kind.startsWith(kindPrefix) ? kind.slice(kindPrefix.length) : "";
  const linksOfRequest = () =>
    service ? linksAt(members, indexLinks, service) : linksOf(members, indexLinks);
  if (name === "BackupRequest") return readBackup(members, kind, linksOfRequest);
  if (name === "RestoreRequest") return readRestore(members, kind, linksOfRequest);
  const readControl = service ? undefined : controlKinds.get(name);
  if (readControl) return readControl(members, kind);
  throw new HostError(
    "REQUEST_INVALID",
    `unknown request: kind ${JSON.stringify(kind.slice(0, 200))}; expected ${kindPrefix} and one of ${["BackupRequest", "RestoreRequest", ...(service ? [] : controlKinds.keys())].join(", ")}`,
  );
}

function readBackup(
  members: Members,
  kind: string,
  linksOfRequest: () => Links,
): ManagementRequest {
  const bearer = stringField(members, "bearer");
  const destination = destinationOf(members, "backup destination must be specified.");
  const container = containerOf(members, destination);
  const links = linksOfRequest();
  if (container === "STREAM" && !isHttp(destination)) {
    throw new HostError(
      "DESTINATION_INVALID",
      `Missing host in URI: STREAM requires an http: or https: destination, not ${quoted(destination)}. Use backupType ZIP or DIRECTORY.`,
    );
  }
  return {
    action: "backup",
    request: {
      destination,
      container,
      indexLink: links.index,
      ...(bearer !== undefined && { bearer }),
    },
    echo: echoOf([
      ["destination", destination],
      ["backupType", container],
      ["indexServiceLink", links.index],
      ["backupServiceLink", links.backup],
      ["kind", kind],
    ]),
  };
}

function readRestore(
  members: Members,
  kind: string,
  linksOfRequest: () => Links,
): ManagementRequest {
  const bearer = stringField(members, "bearer");
  const source = destinationOf(members, "destination is required.");
  const targetTimeMicros = boundaryOf(members);
  const links = linksOfRequest();
  return {
    action: "restore",
    request: {
      source,
      indexLink: links.index,
      lenientTargetTime: true,
      indexNamed: stringField(members, "indexServiceLink") !== undefined,
      ...(targetTimeMicros !== undefined && { targetTimeMicros }),
      ...(bearer !== undefined && { bearer }),
    },
    echo: echoOf([
      ["destination", source],
      ["timeSnapshotBoundaryMicros", targetTimeMicros],
      ["backupServiceLink", links.backup],
      ["indexServiceLink", links.index],
      ["kind", kind],
    ]),
  };
}

function destinationOf(members: Members, missing: string): string {
  const destination = stringField(members, "destination");
  if (destination === undefined || destination === "")
    throw new HostError("REQUEST_INVALID", missing);
  if (!/^[a-z][a-z0-9+.-]*:/i.test(destination)) {
    throw new HostError(
      "DESTINATION_INVALID",
      `Missing scheme: destination ${quoted(destination)} must be a URI such as file:/backups/one.zip.`,
    );
  }
  return destination;
}

const isHttp = (destination: string) => /^https?:/i.test(destination);

/**
 * Missing and null mean ZIP: Xenon's behavior for null differs from its documentation. HTTP
 * destinations always use STREAM.
 */
function containerOf(members: Members, destination: string): ContainerKind {
  const type = stringField(members, "backupType") ?? "ZIP";
  if ((type === "ZIP" || type === "DIRECTORY") && isHttp(destination)) return "STREAM";
  if (type === "ZIP" || type === "DIRECTORY" || type === "STREAM") return type;
  throw new HostError(
    "REQUEST_INVALID",
    `backupType must be ZIP, DIRECTORY or STREAM, not ${quoted(type)}.`,
  );
}

interface Links {
  index: string;
  backup: string;
}

/** A backup service and the index it backs up. */
export interface BackupService {
  link: string;
  indexLink: string;
}

/** Returns the links for a request sent to a backup service. Throws if it names another index. */
function linksAt(members: Members, indexLinks: readonly string[], service: BackupService): Links {
  const named = [
    ["indexServiceLink", service.indexLink],
    ["backupServiceLink", service.link],
  ] as const;
  for (const [field, own] of named) {
    const link = stringField(members, field);
    if (link === undefined || link === own) continue;
    const known = indexLinks.includes(link) || indexLinks.some((one) => link === `${one}-backup`);
    throw new HostError(
      "REQUEST_INVALID",
      known
        ? `${service.link} backs up ${service.indexLink}, not ${link}; send the request to /core/management or to the other service.`
        : `Service not found: ${link}`,
    );
  }
  return { index: service.indexLink, backup: service.link };
}

/**
 * Returns the links of a request. The index link takes precedence over that of the backup service;
 * both are echoed as given.
 */
function linksOf(members: Members, indexLinks: readonly string[]): Links {
  const index = stringField(members, "indexServiceLink");
  const backup = stringField(members, "backupServiceLink");
  const services = new Map(indexLinks.map((link) => [`${link}-backup`, link]));
  const ofService = services.get(backup ?? `${durableIndexLink}-backup`);
  if (ofService === undefined)
    throw new HostError("REQUEST_INVALID", `Service not found: ${backup ?? durableIndexLink}`);
  const chosen = index ?? ofService;
  if (!indexLinks.includes(chosen))
    throw new HostError("REQUEST_INVALID", `Service not found: ${chosen}`);
  return { index: chosen, backup: backup ?? `${durableIndexLink}-backup` };
}

function boundaryOf(members: Members): bigint | undefined {
  const raw = members.get("timeSnapshotBoundaryMicros");
  if (raw === undefined || raw === "null") return undefined;
  const value = exactInteger(raw);
  if (value !== undefined && value >= 0n) return value;
  throw new HostError(
    "REQUEST_INVALID",
    `timeSnapshotBoundaryMicros must be an integer of microseconds since 1970, not ${raw.slice(0, 60)}.`,
  );
}

/** Quotes text for an error message: truncated, and without credentials of a URI. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200).replace(/\/\/[^/@]*@/, "//"));
}
