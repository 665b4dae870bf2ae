import type { StatusJson } from "../../gen/ts/google/rpc/status_pb.js";
import { isSignedOut, token } from "./session.js";

/** An answer of the host that is not a success, or none. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 if the host did not answer. */
    readonly status: number,
    /** Reason of docs/errors.md; empty if there is none. */
    readonly reason: string,
  ) {
    super(message);
  }
}

/** Parameters of a query; empty ones are left out. */
type Parameters = Record<string, string | number | undefined>;

export function get<Answer>(
  path: string,
  parameters: Parameters = {},
  signal?: AbortSignal,
): Promise<Answer> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== "") query.set(name, String(value));
  const text = query.toString();
  return request(text === "" ? path : `${path}?${text}`, { signal }).then(read<Answer>);
}

export function post<Answer>(path: string, body: object, signal?: AbortSignal): Promise<Answer> {
  return request(path, withBody(body, signal)).then(read<Answer>);
}

export function put<Answer>(path: string, body: object): Promise<Answer> {
  return request(path, { ...withBody(body, undefined), method: "PUT" }).then(read<Answer>);
}

export function remove<Answer>(path: string): Promise<Answer> {
  return request(path, { method: "DELETE" }).then(read<Answer>);
}

/** Yields the messages of a stream as they arrive. */
export async function* stream<Message>(
  path: string,
  body: object | undefined,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  const response = await request(path, body ? withBody(body, signal) : { signal });
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield messageOf<Message>(line);
  }
  if (rest !== "") yield messageOf<Message>(rest);
}

/** A line is a message, or, alone and at the end, the error of the stream. */
function messageOf<Message>(line: string): Message {
  const value = JSON.parse(line) as Message & { error?: StatusJson };
  if (value.error && Object.keys(value).length === 1) throw errorOf(value.error, 200);
  return value;
}

const withBody = (body: object, signal: AbortSignal | undefined): RequestInit => ({
  method: "POST",
  body: JSON.stringify(body),
  headers: { "content-type": "application/json" },
  signal,
});

/** Sends a request with the token, in a header and nowhere else. Throws ApiError unless it succeeds. */
export async function request(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token.value !== undefined) headers.set("authorization", `Bearer ${token.value}`);
  const response = await fetch(path, { ...init, headers, cache: "no-store" }).catch(
    (thrown: unknown) => {
      if (init.signal?.aborted) throw thrown;
      throw new ApiError("The host does not answer.", 0, "");
    },
  );
  if (response.ok) return response;
  if (response.status === 401) isSignedOut.value = true;
  const status = (await response.json().catch(() => ({}))) as StatusJson;
  throw errorOf(status, response.status);
}

/** The error in an answer of the host. */
export function errorOf({ message, details = [] }: StatusJson, status: number): ApiError {
  const [detail] = details as { reason?: string }[];
  return new ApiError(message ?? `The host answered ${status}.`, status, detail?.reason ?? "");
}

const read = <Answer>(response: Response) => response.json() as Promise<Answer>;
