import { hostFixture } from "../support/host-fixture.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { listFiles } from "../../src/offline/list.js";

const never = new AbortController().signal;

test("reports the bytes read for the digests, up to the total", async () => {
  const fixture = await hostFixture();
  await fixture.put("a", { pad: "x".repeat(3_000_000) });
  await fixture.backup("chain");
  await fixture.put("b", { n: 1 });
  await fixture.backup("chain");
  const reported: [number, number][] = [];
  const listed = await listFiles(
    fixture.uri("chain"),
    {
      recursive: true,
      stateDirectory: temporaryDirectory(),
      onDigestBytes: (...progress) => reported.push(progress),
    },
    never,
  );
  expect(listed.map(({ state }) => state)).toEqual(["COMPLETE"]);
  const segments = new Map(
    listed
      .flatMap(({ backup }) => backup?.segments ?? [])
      .map(({ name, sizeBytes }) => [name, sizeBytes]),
  );
  expect(segments.size).toBe(2);
  const total = [...segments.values()].reduce((sum, size) => sum + size, 0);
  expect(reported.length).toBeGreaterThan(3);
  expect(reported.map(([, whole]) => whole)).toEqual(reported.map(() => total));
  expect(reported.at(-1)?.[0]).toBe(total);
});
