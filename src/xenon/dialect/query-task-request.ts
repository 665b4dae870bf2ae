import { HostError } from "../../errors.js";
import { parseMembers } from "../../document/members.js";
import {
  booleanOf,
  integerOf,
  memberText,
  objectOf,
  stringOf,
  wordOf,
} from "../query/json-fields.js";
import { readSpecification } from "../query/read-specification.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type { QueryRequest, QueryTaskFactory } from "../query/query-tasks.js";

/** A parsed query task. */
export interface ParsedQueryTask {
  request: QueryRequest;
  /** Whether the response contains the results. */
  direct: boolean;
}

/**
 * Parses the body of a POST that creates a query task. Throws REQUEST_INVALID with Xenon's
 * messages, JSON_INVALID and LINK_INVALID.
 */
export function readQueryTask(factory: QueryTaskFactory, text: string): ParsedQueryTask {
  if (text === "") throw new HostError("REQUEST_INVALID", "body is required");
  const members = parseMembers(text);
  const specification = memberText(members, "querySpec");
  if (specification === undefined) throw new HostError("REQUEST_INVALID", "querySpec is required");
  const taskInfo = memberText(members, "taskInfo");
  const id = nameOf(factory, stringOf(members, "documentSelfLink", "task"));
  const expires = integerOf(members, "documentExpirationTimeMicros", "task") ?? 0n;
  if (expires < 0n || expires > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new HostError(
      "REQUEST_INVALID",
      "documentExpirationTimeMicros must be a time in microseconds since 1970.",
    );
  }
  return {
    direct:
      taskInfo !== undefined && booleanOf(objectOf(taskInfo, "taskInfo"), "isDirect", "taskInfo"),
    request: {
      factory,
      specification: readSpecification(specification),
      indexLink: stringOf(members, "indexLink", "task") ?? durableIndexLink,
      ...(id !== undefined && { id }),
      ...(expires > 0n && { expirationTimeMicros: Number(expires) }),
    },
  };
}

function nameOf(factory: QueryTaskFactory, selfLink: string | undefined): string | undefined {
  if (selfLink === undefined || selfLink === "") return undefined;
  const name = selfLink.startsWith(`${factory}/`)
    ? selfLink.slice(factory.length + 1)
    : selfLink.replace(/^\//, "");
  if (/^[\w-][\w.-]{0,199}$/.test(name)) return name;
  throw new HostError(
    "LINK_INVALID",
    "documentSelfLink of a query task must be a name of at most 200 letters, digits, dots, dashes and underscores.",
  );
}

/**
 * Parses the body of a PATCH, which can only cancel a task. Returns the failure it contains, if
 * any.
 */
export function readCancellation(text: string): HostError | undefined {
  if (text === "") throw new HostError("REQUEST_INVALID", "body is required");
  const taskInfo = memberText(parseMembers(text), "taskInfo");
  if (taskInfo === undefined) throw new HostError("REQUEST_INVALID", "taskInfo is required");
  const members = objectOf(taskInfo, "taskInfo");
  const stage = wordOf(members, "stage", "taskInfo", [
    "CREATED",
    "STARTED",
    "FINISHED",
    "FAILED",
    "CANCELLED",
  ]);
  if (stage === undefined) throw new HostError("REQUEST_INVALID", "stage is required");
  if (stage !== "CANCELLED")
    throw new HostError(
      "REQUEST_INVALID",
      "A query task can only be patched to the stage CANCELLED.",
    );
  const failure = memberText(members, "failure");
  const message =
    failure === undefined
      ? undefined
      : stringOf(objectOf(failure, "taskInfo.failure"), "message", "taskInfo.failure");
  return message === undefined
    ? undefined
    : new HostError("OPERATION_CANCELLED", message.slice(0, 1000));
}
