import { readFileSync, statSync } from "node:fs";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import {
  BackupPolicySchema,
  type BackupPolicy,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { toUri } from "./destination-uri.js";

/** The policies of a file. */
export interface PolicyFile {
  policies: BackupPolicy[];
  /** Whether the file is a list, even of one policy. */
  isList: boolean;
}

/**
 * Reads the policies of a YAML or JSON file: one mapping with the fields of BackupPolicy, or a list of
 * them. `-` is standard input. Paths become file: URIs, relative to the working directory. Throws
 * CONFIGURATION_INVALID if the file cannot be read or is invalid; messages contain no values, which
 * may be secrets of webhooks.
 */
export async function readPolicyFile(path: string): Promise<PolicyFile> {
  const text = readText(path);
  const { parse } = await import("yaml");
  let content: unknown;
  try {
    content = parse(text);
  } catch (cause) {
    throw invalid(path, `is not valid YAML or JSON${positionOf(cause)}`, cause);
  }
  return policiesOf(path, content);
}

/** Converts the content of a file; see readPolicyFile. `path` is named in errors. */
export function policiesOf(path: string, content: unknown): PolicyFile {
  const isList = Array.isArray(content);
  const items: unknown[] = isList ? content : [content];
  if (items.length === 0) throw invalid(path, "contains no policies");
  if (items.length > limits.policies)
    throw invalid(path, `contains more than ${limits.policies} policies`);
  return {
    isList,
    policies: items.map((item, i) => policyOf(path, item, isList ? `[${i}]` : "")),
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

function readText(path: string): string {
  try {
    if (path !== "-" && statSync(path).size > limits.policyFileBytes)
      throw invalid(path, `is larger than ${limits.policyFileBytes} bytes`);
    const text = readFileSync(path === "-" ? 0 : path, "utf8");
    if (text.length <= limits.policyFileBytes) return text;
    throw invalid(path, `is larger than ${limits.policyFileBytes} bytes`);
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw invalid(path, "cannot be read. Check the path and its permissions", cause);
  }
}

function invalid(where: string, problem: string, cause?: unknown): HostError {
  const source = where.startsWith("-") ? `standard input${where.slice(1)}` : where;
  return new HostError("CONFIGURATION_INVALID", `${source} (--file) ${problem}.`, { cause });
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
