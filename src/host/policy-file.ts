import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parse } from "yaml";
import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import {
  BackupPolicySchema,
  type BackupPolicy,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { isUri } from "./destination-option.js";

/** The policies of a file. */
export interface PolicyFile {
  policies: BackupPolicy[];
  /** Whether the file is a list, even of one policy. */
  isList: boolean;
}

/**
 * Parses the policies of a YAML or JSON file: one mapping with the fields of BackupPolicy, or a list of
 * them. Paths become file: URIs, relative to the working directory. Throws CONFIGURATION_INVALID for an
 * invalid file; messages contain no values, which may be secrets of webhooks.
 *
 * @param source Name of the file in messages.
 */
export function parsePolicyFile(source: string, text: string): PolicyFile {
  let content: unknown;
  try {
    content = parse(text);
  } catch (cause) {
    throw invalid(source, `is not valid YAML or JSON${positionOf(cause)}`, cause);
  }
  const isList = Array.isArray(content);
  const items: unknown[] = isList ? (content as unknown[]) : [content];
  if (items.length === 0) throw invalid(source, "contains no policies");
  if (items.length > limits.policies)
    throw invalid(source, `contains more than ${limits.policies} policies`);
  return {
    isList,
    policies: items.map((item, i) =>
      policyOf(isList ? `${source}, policy ${i + 1}` : source, item),
    ),
  };
}

function policyOf(where: string, item: unknown): BackupPolicy {
  if (typeof item !== "object" || item === null || Array.isArray(item))
    throw invalid(where, "is not a mapping of the fields of a policy, for example name: nightly");
  let policy: BackupPolicy;
  try {
    policy = fromJson(BackupPolicySchema, withFullNames(item as JsonObject));
  } catch (cause) {
    throw invalid(where, `is not a policy: ${problemOf(cause)}`, cause);
  }
  delete policy.status;
  if (policy.destination !== "") policy.destination = toUri(policy.destination);
  for (const copy of policy.copies)
    if (copy.destination !== "") copy.destination = toUri(copy.destination);
  return policy;
}

/** The enums of a policy, with their values as people write them. */
const enums: Record<string, string> = {
  Acknowledge: "local, copied",
  WhenUnreachable: "fail, degrade",
  Compression: "none, gzip, zstd",
  VerifyLevel: "metadata, sample, full, test-restore",
};

/** Accepts values of enums as the command line does, for example copied for ACKNOWLEDGE_COPIED. */
function withFullNames(item: JsonObject): JsonObject {
  const full = (prefix: string, value: JsonValue | undefined) => {
    if (typeof value !== "string") return value;
    const name = value.toUpperCase().replaceAll("-", "_");
    return name.startsWith(prefix) ? name : `${prefix}${name}`;
  };
  const prefixes: Record<string, string> = {
    acknowledge: "ACKNOWLEDGE_",
    whenUnreachable: "WHEN_UNREACHABLE_",
    when_unreachable: "WHEN_UNREACHABLE_",
    compression: "COMPRESSION_",
  };
  const changed = Object.fromEntries(
    Object.entries(item).map(([key, value]) => {
      const prefix = prefixes[key];
      return [key, prefix === undefined ? value : (full(prefix, value) ?? value)];
    }),
  );
  const { verify } = item;
  if (typeof verify !== "object" || verify === null || Array.isArray(verify)) return changed;
  const level = full("VERIFY_LEVEL_", verify["level"]);
  return { ...changed, verify: { ...verify, ...(level !== undefined && { level }) } };
}

function invalid(where: string, problem: string, cause?: unknown): HostError {
  return new HostError("CONFIGURATION_INVALID", `${where} ${problem}.`, { cause });
}

/** A URI stays as it is. */
function toUri(destination: string): string {
  return isUri(destination) ? destination : pathToFileURL(resolve(destination)).href;
}

/** Where the YAML parser found the error. Its message quotes the line, which may contain a secret. */
function positionOf(cause: unknown): string {
  const [start] = (cause as { linePos?: { line: number; col: number }[] }).linePos ?? [];
  return start === undefined ? "" : `: line ${start.line}, column ${start.col}`;
}

/** The problem of a field with its name, without its value. */
function problemOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : "";
  const [, kind, where = ""] =
    /^cannot decode (message|field|oneof|enum) (?:\w+\.)*?([A-Z][\w.]*) from JSON/.exec(message) ??
    [];
  const [, unknownKey = ""] = /: key "([^"]{1,64})" is unknown$/.exec(message) ?? [];
  switch (kind) {
    case "message":
      return unknownKey === "" ? `invalid ${where}` : `unknown field ${unknownKey} of ${where}`;
    case "field":
      return `invalid value of ${where}`;
    case "oneof":
      return `${where} is given in several ways. Give one of them`;
    case "enum":
      return `invalid value of ${where}${enums[where] ? `. Use one of ${enums[where]}` : ""}`;
    default:
      return "it does not have the fields of BackupPolicy in the API";
  }
}
