import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { ListedRequest } from "./request.js";

/** A host of either make, with a directory of its own. */
export interface Side {
  first: AskedHost;
  second: AskedHost;
  directory: string;
}

export interface AskedHost {
  url: string;
  restart(): Promise<void>;
}

/** Longer than what is in the list takes; who is not answered by then is not answered at all. */
const patienceMs = 12_000;

/** An answer without what differs from run to run. */
export interface PlainAnswer {
  /** 0 where there was no answer. */
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** Sends the list, one request after the other. */
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

/** Integers that a double may not hold become texts. */
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

/** Said of the connection or of the moment, not of the answer. */
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
    let said = value;
    // The longest first: one may be a part of another.
    for (const [name, own] of [...names].sort((a, b) => b[1].length - a[1].length))
      if (/[^\d]/.test(own)) said = said.replaceAll(own, `<${name}>`);
    return said
      .replace(/\/v1\/operations\/[\w-]+|(?<=")operations\/[\w-]+/g, "<operation>")
      .replace(/\/core\/query-tasks\/[\w-]+/g, "/core/query-tasks/<id>")
      .replace(/\/core\/query-page\/[\w-]+/g, "/core/query-page/<page>")
      .replace(/\?path=[^&"]+&peer=[\w-]+/g, "?path=<page>&peer=<host>");
  };
  const kept = Object.entries(headers).filter(([name]) => !passing.has(name));
  const said = neutral(text);
  let body: unknown;
  try {
    body = said === "" ? undefined : withoutMoments(parse(said), ordered);
  } catch {
    body = said;
  }
  // Said twice, and compared once.
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

/** What is measured of a machine, by the names of the fields. */
const measures: [name: RegExp, standIn: string][] = [
  [/Micros(Utc)?$/, "<micros>"],
  [/ByteCount$/, "<bytes>"],
  [/^httpPort$/, "<port>"],
  [/^bins$/, "<bins>"],
  [/^(latestValue|accumulatedValue|version)$/, "<count>"],
];

/** Measures become names of their units, unless they are 0; links without a promised order are sorted. */
function withoutMoments(value: unknown, ordered: boolean): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => withoutMoments(item, ordered));
    return !ordered && items.every((item) => typeof item === "string") ? items.sort() : items;
  }
  if (typeof value === "string" && /^1[789]\d{14}$/.test(value)) return "<micros>";
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const measured = measures.find(([pattern]) => pattern.test(name));
      return [
        name,
        measured !== undefined && member !== 0 ? measured[1] : withoutMoments(member, ordered),
      ];
    }),
  );
}
