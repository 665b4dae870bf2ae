import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { ListedRequest } from "./request.js";

/** A host of either kind, with its own directory. */
export interface Side {
  first: AskedHost;
  second: AskedHost;
  directory: string;
}

export interface AskedHost {
  url: string;
  restart(): Promise<void>;
}

/** Longer than any response in the list takes. */
const patienceMs = 12_000;

/** A response without values that vary between runs. */
export interface PlainAnswer {
  /** 0 without a response. */
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** Sends the requests of a list in sequence. */
export async function sendRequests(
  list: readonly ListedRequest[],
  side: Side,
): Promise<Map<string, PlainAnswer>> {
  const names = new Map<string, string>();
  const answers = new Map<string, PlainAnswer>();
  for (const listed of list) {
    const host = listed.on === "second" ? side.second : side.first;
    if (listed.restart) await host.restart();
    for (const [name, value] of [
      ["url", side.first.url],
      ["second", side.second.url],
      ["dir", side.directory],
    ] as const)
      names.set(name, value);
    const deadline = performance.now() + 20_000;
    let answer = await send(host.url, listed, names);
    while (
      listed.until !== undefined &&
      !listed.until(objectOf(answer.text)) &&
      performance.now() < deadline
    ) {
      // The interval of the attempts.
      await sleep(200);
      answer = await send(host.url, listed, names);
    }
    for (const [name, path] of Object.entries(listed.take ?? {}))
      names.set(name, taken(answer, listed.name, path));
    answers.set(listed.name, plain(answer, names, listed.ordered === true));
  }
  return answers;
}

function send(url: string, listed: ListedRequest, names: Map<string, string>): Promise<RawAnswer> {
  const fill = (text: string) =>
    text.replace(/\{(\w+)\}/g, (whole, name: string) => names.get(name) ?? whole);
  const { method, headers = {}, body } = listed;
  const payload =
    body === undefined
      ? undefined
      : typeof body === "string"
        ? body
        : fill(JSON.stringify(body).replace(/"#(\w+)"/g, "{$1}"));
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url + fill(listed.path),
      {
        method,
        headers: {
          ...headers,
          ...(payload !== undefined && { "content-length": Buffer.byteLength(payload) }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.setTimeout(listed.patienceMs ?? patienceMs, () => {
      resolve({ status: 0, headers: {}, text: "" });
      request.destroy();
    });
    request.on("error", reject);
    request.end(payload);
  });
}

/** Integers beyond a double become strings. */
function parse(text: string): unknown {
  return JSON.parse(text.replace(/([:[,])(-?\d{16,})(?=[,}\]])/g, '$1"$2"'));
}

function objectOf(text: string): Record<string, unknown> {
  try {
    return parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function taken(answer: RawAnswer, name: string, path: string): string {
  let value: unknown = objectOf(answer.text);
  for (const member of path.split("."))
    value = (value as Record<string, unknown> | undefined)?.[member];
  if (value === undefined)
    throw new Error(
      `${name} has no ${path} to take: ${answer.status} ${answer.text.slice(0, 300)}`,
    );
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Headers of the connection or of the time, not of the response. */
const passing = new Set([
  "connection",
  "keep-alive",
  "date",
  "content-length",
  "transfer-encoding",
]);

function plain(
  { status, headers, text }: RawAnswer,
  names: Map<string, string>,
  ordered: boolean,
): PlainAnswer {
  const neutral = (value: string) => {
    let neutralized = value;
    // Longest first, since one may be part of another.
    for (const [name, own] of [...names].sort((a, b) => b[1].length - a[1].length))
      if (/[^\d]/.test(own)) neutralized = neutralized.replaceAll(own, `<${name}>`);
    return neutralized
      .replace(/\/v1\/operations\/[\w-]+|(?<=")operations\/[\w-]+/g, "<operation>")
      .replace(/\/core\/query-tasks\/[\w-]+/g, "/core/query-tasks/<id>")
      .replace(/\/core\/query-page\/[\w-]+/g, "/core/query-page/<page>")
      .replace(/\?path=[^&"]+&peer=[\w-]+/g, "?path=<page>&peer=<host>");
  };
  const kept = Object.entries(headers).filter(([name]) => !passing.has(name));
  const comparable = neutral(text);
  let body: unknown;
  try {
    body = comparable === "" ? undefined : withoutTimes(parse(comparable), ordered);
  } catch {
    body = comparable;
  }
  // Sent twice, compared once.
  if (
    typeof body === "object" &&
    body !== null &&
    "statusCode" in body &&
    body.statusCode === status
  )
    delete body.statusCode;
  return {
    status,
    headers: Object.fromEntries(kept.map(([name, value]) => [name, neutral(String(value))])),
    body,
  };
}

/** Measurements of a machine, by field name. */
const measures: [name: RegExp, standIn: string][] = [
  [/Micros(Utc)?$/, "<micros>"],
  [/ByteCount$/, "<bytes>"],
  [/^httpPort$/, "<port>"],
  [/^bins$/, "<bins>"],
  [/^(latestValue|accumulatedValue|version)$/, "<count>"],
];

/** Replaces measurements other than 0 by their units, and sorts links without a guaranteed order. */
function withoutTimes(value: unknown, ordered: boolean): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => withoutTimes(item, ordered));
    return !ordered && items.every((item) => typeof item === "string") ? items.sort() : items;
  }
  if (typeof value === "string" && /^1[789]\d{14}$/.test(value)) return "<micros>";
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const measured = measures.find(([pattern]) => pattern.test(name));
      return [
        name,
        measured !== undefined && member !== 0 ? measured[1] : withoutTimes(member, ordered),
      ];
    }),
  );
}
