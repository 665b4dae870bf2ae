import type { ContainerReader, FoundManifest } from "../container/container.js";
import { HostError } from "../errors.js";
import type { Manifest } from "../segment/manifest.js";
import { findManifest, withManifest } from "./inspect.js";

const { signal } = new AbortController();

function manifest(name: string, fields: Partial<Manifest> = {}): FoundManifest {
  const window = { earliestMicros: 1, latestMicros: 9, historyStartMicros: 1 };
  const facts = {
    number: 1,
    indexId: "own",
    indexLink: "/core/document-index",
    hostId: "h",
    productVersion: "1",
    lineage: "l",
    parents: [],
    createTimeMicros: 1,
    positionMicros: 9,
    window,
    documents: 1,
    versions: 1,
    segments: [],
    previousManifestSha256: "",
  };
  return { name, file: { name, sha256: name, manifest: { ...facts, ...fields } } };
}

function readerOf(
  found: () => FoundManifest[],
  kind: ContainerReader["kind"] = "DIRECTORY",
): ContainerReader {
  return { kind, path: "/backups", manifests: async () => found() } as unknown as ContainerReader;
}

describe("a backup that is replaced while it is read", () => {
  const missing = new HostError("BACKUP_DAMAGED", "a segment is missing");
  const replacing = () => {
    let round = 0;
    return readerOf(() => [manifest(`m${(round += 1)}`)]);
  };

  test("is read again as its replacement", async () => {
    let found = [manifest("old")];
    const names: string[] = [];
    const work = async ({ name }: { name: string }) => {
      names.push(name);
      if (name === "new") return "read";
      found = [manifest("new")];
      throw missing;
    };
    expect(
      await withManifest(
        readerOf(() => found),
        {},
        signal,
        work,
      ),
    ).toBe("read");
    expect(names).toEqual(["old", "new"]);
  });

  test("returns SOURCE_CHANGED if it was named, or is replaced repeatedly", async () => {
    const fail = async () => Promise.reject(missing);
    const reader = replacing();
    await expect(withManifest(reader, { name: "m1" }, signal, fail)).rejects.toMatchObject({
      reason: "SOURCE_CHANGED",
      code: "ABORTED",
    });
    await expect(withManifest(replacing(), {}, signal, fail)).rejects.toMatchObject({
      reason: "SOURCE_CHANGED",
    });
  });

  test("is damaged if its manifest still exists, and always in an archive", async () => {
    const fail = async () => Promise.reject(missing);
    await expect(
      withManifest(
        readerOf(() => [manifest("same")]),
        {},
        signal,
        fail,
      ),
    ).rejects.toBe(missing);
    let round = 0;
    await expect(
      withManifest(
        readerOf(() => [manifest(`m${(round += 1)}`)], "ZIP"),
        {},
        signal,
        fail,
      ),
    ).rejects.toBe(missing);
  });
});

describe("the newest backup of several lineages at one destination", () => {
  const foreign = manifest("foreign", { indexId: "other", lineage: "x", positionMicros: 99 });
  const own = manifest("mine");
  const reader = readerOf(() => [foreign, own]);

  test("is that of the host's own index, with a warning about the other one", async () => {
    const chosen = await findManifest(reader, { indexIds: ["own"] }, signal);
    expect(chosen.name).toBe("mine");
    expect(chosen.warnings).toEqual([expect.stringContaining("foreign of index other") as string]);
  });

  test("is the one with the latest position without an own index, with a warning", async () => {
    const chosen = await findManifest(reader, {}, signal);
    expect(chosen.name).toBe("foreign");
    expect(chosen.warnings).toHaveLength(1);
    expect((await findManifest(reader, { name: "mine" }, signal)).warnings).toEqual([]);
  });

  test("needs no warning if one lineage extends the other", async () => {
    const child = manifest("child", {
      lineage: "second",
      parents: [{ indexId: "own", lineage: "l", positionMicros: 9 }],
    });
    expect(
      (
        await findManifest(
          readerOf(() => [child, own]),
          {},
          signal,
        )
      ).warnings,
    ).toEqual([]);
  });
});
