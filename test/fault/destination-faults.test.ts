import { HostError } from "../../src/errors.js";
import { decodeManifest } from "../../src/segment/manifest.js";
import { parseManifestName, signatureName } from "../../src/segment/format.js";
import { faultyDestination, type FaultyCall } from "../support/faulty-destination.js";
import { MemoryDestination, MemoryScheme, MemoryStore } from "../support/memory-destination.js";
import { transferFixture } from "../support/transfer-fixture.js";

type When = "before" | "after";
const calls: FaultyCall[] = ["put", "get", "stat", "list", "remove", "stage", "removeAbandoned"];
const cases = (["DIRECTORY", "ZIP"] as const).flatMap((container) =>
  calls.flatMap((call) =>
    (["before", "after"] as const)
      // Without a returned staging area, a failure after the call equals one before it.
      .filter((when) => !(call === "stage" && when === "after"))
      .map((when) => ({ container, call, when })),
  ),
);

/** A host whose destinations in memory fail at a chosen call. */
async function faultyHost() {
  const store = new MemoryStore();
  let armed: { call: FaultyCall; when: When; left: number } | undefined;
  let fired = 0;
  const memory = new MemoryScheme((bucket) =>
    faultyDestination(new MemoryDestination(store, bucket), (call) => {
      if (armed?.call !== call || (armed.left -= 1) !== 0) return undefined;
      fired += 1;
      return armed.when;
    }),
  );
  const fixture = await transferFixture(undefined, { destinations: { memory } });
  return {
    store,
    fixture,
    /** Runs work during which the nth call fails; resolves to whether the fault fired, and how the work ended. */
    async failing(call: FaultyCall, when: When, nth: number, work: () => Promise<unknown>) {
      fired = 0;
      armed = { call, when, left: nth };
      const error = await work().then(
        () => undefined,
        (thrown: unknown) => HostError.from(thrown),
      );
      armed = undefined;
      return { fired: fired > 0, error };
    },
  };
}

/** Objects that no manifest lists. */
function strays(store: MemoryStore, bucket: string): string[] {
  const objects = store.bucket(bucket);
  const known = [...objects].flatMap(([name, { bytes }]) =>
    parseManifestName(name) === undefined
      ? []
      : [
          name,
          signatureName(name),
          ...decodeManifest(name, bytes).manifest.segments.map((segment) => segment.name),
        ],
  );
  return [...objects.keys()].filter((name) => !known.includes(name) && name !== "b.zip");
}

test.each(cases)(
  "$container: a backup whose $call fails $when its effect is reported, and the stored backup restores",
  async ({ container, call, when }) => {
    const { store, fixture, failing } = await faultyHost();
    // Each of the first calls, and some of the later ones, which are like them.
    for (let nth = 1; nth < 60; nth += nth < 8 ? 1 : 4) {
      const bucket = `shop-${nth}`;
      const uri = container === "ZIP" ? `memory:${bucket}/b.zip` : `memory:${bucket}`;
      const backUp = () => fixture.backupTo(uri, { container });
      await fixture.put("d", { n: 0 });
      await backUp();
      const before = await fixture.contents();
      await fixture.put("d", { nth });
      const after = await fixture.contents();
      const { fired, error } = await failing(call, when, nth, backUp);
      if (error) expect(error).toMatchObject({ reason: "DESTINATION_UNREACHABLE" });
      expect(store.staging.size).toBe(0);
      await fixture.restoreFrom(uri);
      const restored = await fixture.contents();
      if (error === undefined) expect(restored).toEqual(after);
      else expect([before, after]).toContainEqual(restored);
      await fixture.put("d", { nth, again: true });
      await backUp();
      expect(strays(store, bucket)).toEqual([]);
      await fixture.restoreFrom(uri);
      expect((await fixture.contents())["d"]).toContain("again");
      if (!fired) return;
    }
    throw new Error("the fault fires without end");
  },
  120_000,
);

test.each(["get", "stat", "list"] as const)(
  "a restore with a failed %s changes nothing",
  async (call) => {
    const { fixture, failing } = await faultyHost();
    await fixture.put("d", { n: 0 });
    await fixture.backupTo("memory:shop", { container: "DIRECTORY" });
    await fixture.put("d", { n: 1 });
    await fixture.backupTo("memory:shop", { container: "DIRECTORY" });
    await fixture.put("d", { n: 2 });
    for (let nth = 1; nth < 30; nth += 1) {
      const { fired, error } = await failing(call, "after", nth, () =>
        fixture.restoreFrom("memory:shop"),
      );
      if (!fired) return;
      if (error === undefined) continue;
      expect(error).toMatchObject({ reason: "DESTINATION_UNREACHABLE" });
      expect((await fixture.contents())["d"]).toBe('{"n":2}');
      expect(fixture.leftovers()).toEqual([]);
    }
    throw new Error("the fault fires without end");
  },
);
