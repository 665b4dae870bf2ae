import { writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { runCookbook, type Name } from "../support/cookbook.js";
import { withEnvironment } from "../support/environment.js";
import { freePort } from "../support/free-port.js";
import { long } from "../support/long.js";
import { havePostgres, startPostgres } from "../support/postgres-server.js";
import { haveVersitygw } from "../support/s3-store.js";
import { programDirectory } from "../support/program-directory.js";
import { serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";

/**
 * Returns environment variables with which `holdfast` is on the PATH and uses separate ports and profiles, independent of
 * the user who runs the tests.
 */
async function isolatedEnvironment(root: string): Promise<Record<string, string>> {
  const bin = programDirectory(root);
  const [http, grpc] = [await freePort(), await freePort()];
  const profiles = join(root, "profiles.yaml");
  writeFileSync(profiles, `default: here\nprofiles:\n  here:\n    address: 127.0.0.1:${grpc}\n`);
  return {
    PATH: `${bin}${delimiter}${process.env["PATH"]}`,
    HOLDFAST_HTTP_PORT: String(http),
    HOLDFAST_GRPC_PORT: String(grpc),
    HOLDFAST_PROFILES: profiles,
    XDG_STATE_HOME: join(root, "state"),
  };
}

const names = (root: string): Name[] => [["/tmp/holdfast", join(root, "work")]];

(haveTools("the walk-throughs of docs/operations.md", "sh", "jq", "dd") ? describe : describe.skip)(
  "docs/operations.md",
  () => {
    const some = [
      ["common setup", "begin"],
      ["deleted documents", "deleted"],
      ["lost disk", "disk"],
      ["damaged backup", "damage"],
    ] as const;
    test.each(long ? ([...some, ["bad deploy", "deploy"], ["moved host", "move"]] as const) : some)(
      "%s",
      async (_name, tag) => {
        const root = temporaryDirectory();
        const more = tag === "begin" ? { after: ["kill $! && wait $!"] } : { before: "begin" };
        await withEnvironment(await isolatedEnvironment(root), () =>
          runCookbook("docs/operations.md", tag, names(root), more),
        );
      },
      120_000,
    );
  },
);

(haveTools("the walk-through of docs/policies.md", "sh", "jq") ? test : test.skip)(
  "docs/policies.md, disks: lose a disk, restore from the copy on another, and go on",
  async () => {
    const root = temporaryDirectory();
    await withEnvironment(await isolatedEnvironment(root), () =>
      runCookbook("docs/policies.md", "disks", names(root)),
    );
  },
  120_000,
);

(haveVersitygw && haveTools("the walk-throughs with a store", "sh", "jq", "sed")
  ? describe
  : describe.skip)("a store of versitygw", () => {
  test.each([
    [
      "docs/operations.md",
      "bucket",
      "back up to a bucket, encrypted and signed; lose the machine; restore on a new one",
    ],
    ["docs/policies.md", "policies", "back up by a policy, prove it, and undo an accident"],
  ])(
    "%s, %s: %s",
    async (file, tag) => {
      const root = temporaryDirectory();
      const environment: Record<string, string> = {
        ...(await isolatedEnvironment(root)),
        AWS_ACCESS_KEY_ID: "",
        AWS_SECRET_ACCESS_KEY: "",
        AWS_ENDPOINT_URL_S3: "",
        AWS_EC2_METADATA_DISABLED: "true",
      };
      environment["PATH"] = [environment["PATH"], resolve(".cache/go-bin")].join(delimiter);
      const store: Name = ["127.0.0.1:7070", `127.0.0.1:${await freePort()}`];
      await withEnvironment(environment, () => runCookbook(file, tag, [...names(root), store]));
    },
    120_000,
  );
});

(havePostgres && haveTools("the walk-through of docs/postgresql.md", "sh", "curl", "jq", "comm")
  ? test
  : test.skip)(
  "docs/postgresql.md, hosts: two hosts on one database, an accident, a kill, and backups from and to SQLite",
  async () => {
    const root = temporaryDirectory();
    const server = await startPostgres();
    const ports = await Promise.all(
      ["8100", "8101", "8200", "8201", "8300", "8301"].map(async (shown): Promise<Name> => [
        shown,
        String(await freePort()),
      ]),
    );
    const url = "postgres://holdfast@127.0.0.1:5432/postgres";
    await withEnvironment(await isolatedEnvironment(root), () =>
      runCookbook("docs/postgresql.md", "hosts", [...names(root), [url, server.url], ...ports]),
    );
  },
  120_000,
);

(haveTools("the quick start", "sh", "date") ? describe : describe.skip)("the quick start", () => {
  test.each([
    ["README.md", "quick"],
    ["docs/quick-start.md", "round"],
  ])(
    "%s: back up, lose and restore documents",
    async (file, tag) => {
      const root = temporaryDirectory();
      const environment = await isolatedEnvironment(root);
      const ports = [
        "--http-port",
        environment["HOLDFAST_HTTP_PORT"] ?? "",
        "--grpc-port",
        environment["HOLDFAST_GRPC_PORT"] ?? "",
      ];
      const host = await serve(["--data-dir", join(root, "data"), ...ports]);
      await withEnvironment(environment, () => runCookbook(file, tag, names(root)));
      expect(await host.stop()).toBe(0);
    },
    60_000,
  );
});
