import type {
  Destination,
  FetchOptions,
  GetOptions,
  ListEntriesOptions,
  ObjectBody,
  PutOptions,
  RemoveOptions,
  StageOptions,
} from "../../src/destination/destination.js";
import { HostError } from "../../src/errors.js";
import type { HeldLease } from "../../src/io/lease.js";

/** The calls that can fail. */
export type FaultyCall = "put" | "get" | "stat" | "list" | "remove" | "stage" | "removeAbandoned";

/** Wraps a destination whose calls fail when `fails` says so; whether a failing put or remove takes effect is undefined. */
export function faultyDestination(
  inner: Destination,
  fails: (call: FaultyCall, name: string | undefined) => "before" | "after" | undefined,
): Destination {
  const unreachable = (call: string) =>
    new HostError("DESTINATION_UNREACHABLE", `${inner.displayName()} broke off at ${call}.`);
  async function during<T>(
    call: FaultyCall,
    name: string | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const when = fails(call, name);
    if (when === "before") throw unreachable(call);
    const result = await work();
    if (when === "after") throw unreachable(call);
    return result;
  }
  return {
    uri: inner.uri,
    capabilities: inner.capabilities,
    uriOf: (object) => inner.uriOf(object),
    displayName: (object) => inner.displayName(object),
    put: (name: string, body: ObjectBody, options: PutOptions) =>
      during("put", name, () => inner.put(name, body, options)),
    async *get(name: string, options: GetOptions) {
      const when = fails("get", name);
      if (when === "before") throw unreachable("get");
      for await (const chunk of inner.get(name, options)) {
        yield chunk.subarray(0, when === "after" ? Math.ceil(chunk.length / 2) : undefined);
        if (when === "after") throw unreachable("get");
      }
    },
    stat: (name, signal) => during("stat", name, () => inner.stat(name, signal)),
    async *list(options: ListEntriesOptions) {
      if (fails("list", undefined)) throw unreachable("list");
      yield* inner.list(options);
    },
    remove: (names: readonly string[], options: RemoveOptions) =>
      during("remove", names[0], () => inner.remove(names, options)),
    lock: (object, signal) => inner.lock(object, signal),
    stage: (options: StageOptions) =>
      during("stage", options.object, async () => inner.stage(options)),
    removeAbandoned: (object: string | undefined, lock: HeldLease) =>
      during("removeAbandoned", object, () => inner.removeAbandoned(object, lock)),
    close: () => inner.close(),
    ...(inner.localPath && { localPath: inner.localPath.bind(inner) }),
    ...(inner.fetch && {
      fetch: (name: string, path: string, options: FetchOptions) =>
        during("get", name, async () => inner.fetch?.(name, path, options)),
    }),
    ...(inner.freeBytes && { freeBytes: () => inner.freeBytes?.() ?? Promise.resolve(0) }),
    ...(inner.exists && { exists: () => inner.exists?.() ?? Promise.resolve(true) }),
    ...(inner.identity && { identity: () => inner.identity?.() ?? Promise.resolve("") }),
    ...(inner.child && { child: inner.child.bind(inner) }),
  };
}
