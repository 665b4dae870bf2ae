import { ask } from "../../support/served-host.js";

export const exampleState = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState";

/** Processes the items with limited concurrency. */
export async function each<T>(
  items: Iterable<T>,
  atATime: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next())
      await work(next.value);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}

/** Sends a request and expects the status 200. */
export async function askOk(
  url: string,
  method = "GET",
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const answer = await ask(url, method, body, headers);
  if (answer.status !== 200)
    throw new Error(
      `${method} ${url}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 500)}`,
    );
  return answer.body;
}

/** The documents of a factory by link. */
export async function documentsOf(
  url: string,
  factory = "/core/examples",
): Promise<Record<string, Record<string, unknown>>> {
  const listing = await askOk(`${url}${factory}?expand`);
  return (listing["documents"] ?? {}) as Record<string, Record<string, unknown>>;
}

/** The fields that a backup must keep; a Xenon changes the owner and adds the synchronizing host. */
export function essence(
  documents: Record<string, Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(documents).map(
      ([
        link,
        {
          documentOwner: _owner,
          documentAuthPrincipalLink: _principal,
          documentEpoch: _epoch,
          ...rest
        },
      ]) => [link, rest],
    ),
  );
}
