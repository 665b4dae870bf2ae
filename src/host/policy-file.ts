import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parse } from "yaml";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
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
    policies: items.map((item, i) => policyOf(source, item, isList ? `[${i}]` : "")),
  };
}

function policyOf(path: string, item: unknown, at: string): BackupPolicy {
  const where = at === "" ? path : `${path}${at}`;
  if (typeof item !== "object" || item === null || Array.isArray(item))
    throw invalid(where, "is not a mapping of the fields of a policy, for example name: nightly");
  let policy: BackupPolicy;
  try {
    policy = fromJson(BackupPolicySchema, item as JsonValue);
  } catch (cause) {
    throw invalid(where, `is not a policy: ${problemOf(cause)}`, cause);
  }
  delete policy.status;
  if (policy.destination !== "") policy.destination = toUri(policy.destination);
  for (const copy of policy.copies)
    if (copy.destination !== "") copy.destination = toUri(copy.destination);
  return policy;
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
      return `invalid value of ${where}. Use the full name of a value, as the REST API does`;
    default:
      return "it does not have the fields of BackupPolicy in the API";
  }
}
