import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";

// Backups written by released versions of the format, never written again. A change that cannot restore them breaks
// existing backups.

interface State {
  what: string;
  targetTimeMicros: number;
  documents: number;
  /** Digest of one line for each document: link, version, kind and body. */
  sha256: string;
  some: { link: string; version: number; kind: string; body: string }[];
}
interface Expected {
  backup: { documents: number; versions: number; segments: number; window: object };
  states: State[];
}

async function stateOf(fixture: HostFixture): Promise<Omit<State, "what" | "targetTimeMicros">> {
  const { documents } = await fixture.host.documents.list({
    factoryPath,
    expand: true,
    limit: 1000,
  });
  const hash = createHash("sha256");
  for (const { link, version, kind, body } of documents)
    hash.update(`${link} ${version} ${kind} ${body}\n`);
  return {
    documents: documents.length,
    sha256: hash.digest("hex"),
    some: documents
      .filter(({ link }) => /\/(d[0-4]|late|numbers|unicode)$/.test(link))
      .map(({ link, version, kind, body }) => ({ link, version, kind, body })),
  };
}

describe.each(readdirSync(__dirname).filter((name) => /^v\d+$/.test(name)))("format %s", (version) => {
  const { backup: described, states } = JSON.parse(
    readFileSync(join(__dirname, version, "expected.json"), "utf8"),
  ) as Expected;
  const identity = join(__dirname, version, "identity.txt");
  const keys = existsSync(identity)
    ? { decryptWith: { identities: readFileSync(identity, "utf8"), passphrase: "" } }
    : {};

  test.each(["directory", "archive.zip"])("%s verifies and restores to each point in time", async (name) => {
    const fixture = await hostFixture();
    cpSync(join(__dirname, version, name), join(fixture.root, name), { recursive: true });
    const { segments, ...counts } = described;
    const { backup } = await fixture.finish<{ backup: { segments: unknown[] } }>(
      fixture.host.management.verifyBackup(fixture.uri(name), undefined, { level: "FULL", samplePercent: 100, ...keys }),
    );
    expect(backup).toMatchObject({ documents: counts.documents, versions: counts.versions });
    if (name === "directory") {
      expect(backup).toMatchObject(counts);
      expect(backup.segments).toHaveLength(segments);
    }
    for (const { what, targetTimeMicros, ...state } of states) {
      const at = { targetTimeMicros: BigInt(targetTimeMicros) };
      await fixture.restore(name, { indexNamed: true, ...at, ...keys });
      expect({ what, ...(await stateOf(fixture)) }).toEqual({ what, ...state });
    }
    await fixture.restore(name, { indexNamed: true, ...keys });
    expect(await stateOf(fixture)).toMatchObject({ sha256: states.at(-1)?.sha256 });
  });
});
