/**
 * A request of the list. Strings may contain {url}, {second}, {dir} and previously taken names in braces; in a body,
 * the string "#name" stands for a value taken as a number.
 */
export interface ListedRequest {
  name: string;
  /** The target: the first host of each kind, or an additional one, which its first request creates. */
  on?: "second";
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** A string is sent unchanged, anything else as JSON. */
  body?: unknown;
  /** Names for values of the response, by path in the body, for example results.nextPageLink. */
  take?: Record<string, string>;
  /** Whether the order of documentLinks is guaranteed. */
  ordered?: true;
  /** Restarts the host first. */
  restart?: true;
  /** Timeout of the response, if longer than the default. */
  patienceMs?: number;
  /** Repeats the request until the response meets the condition, for at most 20 s. */
  until?: (body: Record<string, unknown>) => boolean;
}

const json = { "content-type": "application/json" };

/** A request with or without a JSON body. */
export function ask(
  name: string,
  method: string,
  path: string,
  body?: unknown,
  more: Partial<ListedRequest> = {},
): ListedRequest {
  return {
    name,
    method,
    path,
    ...(body !== undefined && { body }),
    ...more,
    headers: { ...(body !== undefined && json), ...more.headers },
  };
}

/** A PATCH of /core/management with one of its kinds. */
export function manage(
  name: string,
  kind: string,
  fields: object = {},
  more: Partial<ListedRequest> = {},
): ListedRequest {
  return ask(
    name,
    "PATCH",
    "/core/management",
    { kind: `com:vmware:xenon:services:common:ServiceHostManagementService:${kind}`, ...fields },
    more,
  );
}
