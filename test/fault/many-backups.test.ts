import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { requireRoom } from "../../src/backup/backup.js";
import { limits } from "../../src/limits.js";
import { pinName } from "../../src/segment/format.js";
import { writeManyBackups } from "../support/many-backups.js";
import { runToEnd, serve, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** One less than are kept at one destination. Their manifests have 130 MB. */
const count = limits.manifestsPerDestination - 1;
/** The heap of the host, with room for a listing and the host itself. */
const heapMiB = 192;

let host: ServedHost;
let directory: string;
const manifests = () => readdirSync(directory).filter((name) => /^manifest-.*\.json$/.test(name));

/** Runs a command on the host, and returns its result. */
async function holdfast<T>(...args: string[]): Promise<T> {
  const { code, output, log } = await runToEnd([...args, "--json", "--address", host.grpc]);
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${output} ${log}`);
  return (JSON.parse(output) as { result: T }).result;
}

/** The host lived, and its memory was bounded: buffers of files are outside of its heap. */
function expectBoundedMemory() {
  const status = readFileSync(`/proc/${host.process.pid}/status`, "utf8");
  expect(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024).toBeLessThan(heapMiB + 300);
}

interface Backed {
  backup: { indexId: string; lineage: string; number: string };
}

beforeAll(async () => {
  const root = temporaryDirectory();
  directory = join(root, "many");
  host = await serve(["--data-dir", join(root, "data"), "--factory", "/things=test:thing"], {
    env: { NODE_OPTIONS: `--max-old-space-size=${heapMiB}` },
  });
  await fetch(`${host.url}/things`, { method: "POST", body: '{"documentSelfLink":"a"}' });
  const { backup } = await holdfast<Backed>("backup", join(root, "first"));
  const { indexId, lineage } = backup;
  writeManyBackups(directory, { indexId, lineage, count, newestMicros: Date.now() * 1000 });
});

test(`lists ${count} backups, and a policy keeps a few of them`, async () => {
  const page = async (token: string) => {
    const query = new URLSearchParams({
      uri: pathToFileURL(directory).href,
      pageSize: "1000",
      pageToken: token,
    });
    const response = await fetch(`${host.url}/v1/backups?${query.toString()}`);
    return (await response.json()) as { backups: { name: string }[]; nextPageToken: string };
  };
  const first = await page("");
  const second = await page(first.nextPageToken);
  const names = [...first.backups, ...second.backups].map(({ name }) => name);
  expect(names).toEqual(manifests().reverse().slice(0, names.length));
  const [oldest = ""] = manifests();
  writeFileSync(join(directory, pinName(oldest)), "{}");
  const rules = ["--keep-last", "3", "--keep-daily", "30", "--keep-yearly", "5"];
  await holdfast("policy", "add", "nightly", directory, "--cron", "0 3 1 1 *", ...rules);
  const run = await holdfast("policy", "run", "nightly", "--wait");
  expect(run).toMatchObject({ state: "POLICY_RUN_STATE_SUCCEEDED" });
  const kept = manifests();
  expect(kept).toContain(oldest);
  // The last three, 29 more days, and at most five years.
  expect(kept.length).toBeGreaterThanOrEqual(33);
  expect(kept.length).toBeLessThan(40);
  expectBoundedMemory();
}, 300_000);

test("no backup is added to a destination that has as many as are kept", () => {
  expect(() => requireRoom(count)).not.toThrow();
  expect(() => requireRoom(count + 1)).toThrow(
    expect.objectContaining({ reason: "DESTINATION_FULL" }) as Error,
  );
});
