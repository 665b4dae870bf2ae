import fc from "fast-check";
import type { HostFixture } from "../support/host-fixture.js";
import { long } from "../support/long.js";

/**
 * Compares random histories of a host with a model that is a list of events: a restore of any backup to any time must
 * match the list, and so must all that follows.
 */
interface Event {
  time: number;
  name: string;
  /** Undefined for a deleted document. */
  body: string | undefined;
}

interface TakenBackup {
  destination: string;
  events: Event[];
  earliest: number;
  latest: number;
  /** A later backup to the same destination has replaced this one. */
  replaced: boolean;
}

interface Model {
  events: Event[];
  backups: TakenBackup[];
  /** The events before the last restore, for undo. */
  previous: Event[] | undefined;
}

/** What the model uses of a host, or of several that share an index. */
export interface HistoryFixture extends Pick<
  HostFixture,
  "put" | "contents" | "backup" | "restore" | "finish" | "restart" | "stop" | "uri"
> {
  readonly host: Pick<HostFixture["host"], "documents" | "management">;
}

/** A real index under test. */
export interface Real {
  fixture: HistoryFixture;
  clock: { micros: number };
}

function stateAt(events: Event[], time: number): Record<string, { body: string; version: number }> {
  const versions = new Map<string, number>();
  const state: Record<string, { body: string; version: number }> = {};
  for (const { time: at, name, body } of events) {
    if (at > time) break;
    const version = (versions.get(name) ?? -1) + 1;
    versions.set(name, version);
    if (body === undefined) delete state[name];
    else state[name] = { body, version };
  }
  return state;
}

async function check(model: Model, { fixture }: Real): Promise<void> {
  const expected = stateAt(model.events, Number.MAX_SAFE_INTEGER);
  expect(await fixture.contents()).toEqual(
    Object.fromEntries(Object.entries(expected).map(([name, { body }]) => [name, body])),
  );
  for (const [name, { version }] of Object.entries(expected))
    expect((await fixture.host.documents.get(`/things/${name}`)).version).toBe(version);
}

type Command = fc.AsyncCommand<Model, Real>;
const command = (
  text: string,
  run: Command["run"],
  possible: (model: Readonly<Model>) => boolean = () => true,
): Command => ({
  check: possible,
  run,
  toString: () => text,
});

const names = fc.constantFrom("a", "b", "c", "d", "e");
const write = fc.tuple(names, fc.nat(1000), fc.nat(50)).map(([name, n, wait]) =>
  command(`write ${name} ${n}`, async (model, { fixture, clock }) => {
    // The clock may stand still or go back.
    clock.micros += wait - 10;
    const time = await fixture.put(name, { n });
    expect(time).toBeGreaterThan(model.events.at(-1)?.time ?? 0);
    model.events.push({ time, name, body: JSON.stringify({ n }) });
  }),
);
const remove = names.map((name) =>
  command(
    `delete ${name}`,
    async (model, { fixture }) => {
      const deleted = await fixture.host.documents.delete(`/things/${name}`);
      model.events.push({ time: deleted?.updateTimeMicros ?? 0, name, body: undefined });
    },
    (model) => stateAt(model.events, Number.MAX_SAFE_INTEGER)[name] !== undefined,
  ),
);
const backup = fc.constantFrom("dir-1", "dir-2", "one.zip").map((destination) =>
  command(`backup ${destination}`, async (model, { fixture }) => {
    const { backup: taken } = await fixture.backup(destination, {
      container: destination.endsWith(".zip") ? "ZIP" : "DIRECTORY",
    });
    for (const one of model.backups) if (one.destination === destination) one.replaced = true;
    const { earliestMicros: earliest, latestMicros: latest } = taken.window;
    model.backups.push({
      destination,
      events: [...model.events],
      earliest,
      latest,
      replaced: false,
    });
  }),
);
const restore = fc
  .tuple(fc.nat(), fc.nat(), fc.constantFrom(-1, 0, 1, undefined))
  .map(([which, moment, offset]) =>
    command(
      `restore ${which} ${moment} ${offset}`,
      async (model, { fixture }) => {
        const usable = model.backups.filter(({ replaced }) => !replaced);
        const from = usable[which % usable.length];
        if (!from) return;
        const at = from.events[moment % Math.max(1, from.events.length)]?.time ?? from.latest;
        const target =
          offset === undefined
            ? undefined
            : Math.min(Math.max(at + offset, from.earliest), from.latest);
        await fixture.restore(
          from.destination,
          target === undefined ? {} : { targetTimeMicros: BigInt(target) },
        );
        model.previous = model.events;
        model.events = from.events.filter(({ time }) => target === undefined || time <= target);
        await check(model, { fixture, clock: { micros: 0 } });
      },
      (model) => model.backups.length > 0,
    ),
  );
const undo = fc.constant(
  command(
    "undo",
    async (model, real) => {
      await real.fixture.finish(
        real.fixture.host.management.undoRestore({ indexLink: "/core/document-index" }),
      );
      const undone = model.events;
      model.events = model.previous ?? [];
      model.previous = undone;
      await check(model, real);
    },
    (model) => model.previous !== undefined,
  ),
);
const restart = fc.constant(
  command("restart", async (model, real) => {
    await real.fixture.restart();
    await check(model, real);
  }),
);

const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? Date.now() % 1_000_000_000);
const runs = Number(process.env["HOLDFAST_TEST_RUNS"] ?? (long ? 8 : 2));

/** Random histories of an index agree with the model. `open` opens a new, empty one. */
export function historyContract(what: string, open: () => Promise<Real>): void {
  test(`random histories of ${what}, restored at random times, agree with the model (seed ${seed}, ${runs} runs)`, async () => {
    const commands = fc.commands(
      [write, write, write, write, remove, backup, backup, restore, undo, restart],
      { maxCommands: 60, size: "max" },
    );
    await fc.assert(
      fc.asyncProperty(commands, async (script) => {
        const real = await open();
        const { fixture } = real;
        const model: Model = { events: [], backups: [], previous: undefined };
        try {
          await fc.asyncModelRun(() => ({ model, real }), script);
          await check(model, real);
          for (const { destination, replaced } of model.backups) {
            if (!replaced)
              await fixture.finish(fixture.host.management.verifyBackup(fixture.uri(destination)));
          }
        } finally {
          await fixture.stop();
        }
      }),
      { seed, numRuns: runs, endOnFailure: true },
    );
  }, 240_000);
}
