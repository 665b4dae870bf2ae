import fc from "fast-check";
import { hostFixture } from "../support/host-fixture.js";
import { long } from "../support/long.js";

const names = ["a", "ab", "abc", "b", "ü", "𝕏"] as const;
type Step = { name: (typeof names)[number]; body?: number };
const step: fc.Arbitrary<Step> = fc.record(
  { name: fc.constantFrom(...names), body: fc.integer({ min: 0, max: 3 }) },
  { requiredKeys: ["name"] },
);
const selected = fc.record({
  links: fc.subarray([...names]),
  prefixes: fc.subarray(["a", "ab", "u", "ü"]),
  deleteOthers: fc.boolean(),
});

test("restores exactly the selected documents, as the preview states", async () => {
  const fixture = await hostFixture();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 12 }),
      fc.array(step, { maxLength: 12 }),
      selected,
      async (before, after, { links, prefixes, deleteOthers }) => {
        const own = `run${(run += 1)}-`;
        const apply = async (steps: Step[]) => {
          for (const { name, body } of steps) {
            if (body !== undefined) await fixture.put(own + name, { body });
            else await fixture.host.documents.delete(`/things/${own}${name}`).catch(() => {});
          }
        };
        const state = async () =>
          new Map(
            Object.entries(await fixture.contents()).flatMap(([name, body]) =>
              name.startsWith(own) ? [[name.slice(own.length), body] as const] : [],
            ),
          );
        await apply(before);
        const wanted = await state();
        await fixture.backup(`${own}backup`);
        await apply(after);
        const live = await state();
        const others = Object.entries(await fixture.contents()).filter(
          ([name]) => !name.startsWith(own),
        );

        const linkOf = (name: string) => `/things/${own}${name}`;
        // An empty selection would restore everything.
        const selection = {
          links: [...links.map(linkOf), linkOf("none")],
          prefixes: prefixes.map(linkOf),
          kinds: [],
          deleteOthers,
        };
        const preview = await fixture.restore(`${own}backup`, { selection, validateOnly: true });
        expect(await state()).toEqual(live);
        const { selection: done } = await fixture.restore(`${own}backup`, { selection });
        expect(done).toEqual(preview.selection);

        const expected = new Map(live);
        for (const name of names) {
          if (!links.includes(name) && !prefixes.some((prefix) => name.startsWith(prefix)))
            continue;
          const body = wanted.get(name);
          if (body !== undefined) expected.set(name, body);
          else if (deleteOthers) expected.delete(name);
        }
        expect(await state()).toEqual(expected);
        expect(
          Object.entries(await fixture.contents()).filter(([name]) => !name.startsWith(own)),
        ).toEqual(others);
      },
    ),
    { numRuns: long ? 12 : 5, endOnFailure: true },
  );
}, 120_000);
