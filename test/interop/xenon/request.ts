/**
 * A request of the list. Its texts may have {url}, {second}, {dir} and names that were taken before in braces; in a body
 * a text "#name" stands for what was taken as a number.
 */
export interface ListedRequest {
  name: string;
  /** The host that is asked: the first one of each make, or another one that is new when it is first asked. */
  on?: "second";
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** A text is sent as it is, anything else as JSON. */
  body?: unknown;
  /** Names for values of the answer, by the path of each in its body, for example results.nextPageLink. */
  take?: Record<string, string>;
  /** Whether the order of documentLinks is promised. */
  ordered?: true;
  /** The host is started again before. */
  restart?: true;
  /** How long an answer may take, where that is longer than usual. */
  patienceMs?: number;
  /** Asked again until the answer is as it should be, for 20 s at most. */
  until?: (body: Record<string, unknown>) => boolean;
}

const json = { "content-type": "application/json" };

/** A request with a JSON body, or without one. */
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

/** A PATCH of /core/management of one of its kinds. */
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
