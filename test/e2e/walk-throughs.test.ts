import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { delimiter, join, resolve } from "node:path";
import { runCookbook, type Name } from "../support/cookbook.js";
import { long } from "../support/long.js";
import { serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";

/** A port that nobody listens at now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Puts variables into the environment for the length of the work. */
async function under(
  environment: Record<string, string>,
  work: () => Promise<void>,
): Promise<void> {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  try {
    await work();
  } finally {
    for (const name of Object.keys(environment)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

/** The command by its name, on ports of its own, with no settings of whoever runs the tests. */
async function surroundings(root: string): Promise<Record<string, string>> {
  const bin = join(root, "bin");
  mkdirSync(bin);
  writeFileSync(
    join(bin, "holdfast"),
    `#!/bin/sh\nexec '${process.execPath}' '${resolve("dist/src/cli/main.js")}' "$@"\n`,
  );
  chmodSync(join(bin, "holdfast"), 0o755);
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
      ["how each of them begins", "begin"],
      ["deleted documents", "deleted"],
      ["a lost disk", "disk"],
      ["a damaged backup", "damage"],
    ] as const;
    test.each(
      long ? ([...some, ["a bad deploy", "deploy"], ["a moved host", "move"]] as const) : some,
    )(
      "%s",
      async (_name, tag) => {
        const root = temporaryDirectory();
        const more = tag === "begin" ? { after: ["kill $! && wait $!"] } : { before: "begin" };
        await under(await surroundings(root), () =>
          runCookbook("docs/operations.md", tag, names(root), more),
        );
      },
      120_000,
    );
  },
);

(haveTools("the first round of the README", "sh", "date") ? test : test.skip)(
  "the README's first round: start, back up, lose, verify, restore",
  async () => {
    const root = temporaryDirectory();
    const environment = await surroundings(root);
    const ports = [
      "--http-port",
      environment["HOLDFAST_HTTP_PORT"] ?? "",
      "--grpc-port",
      environment["HOLDFAST_GRPC_PORT"] ?? "",
    ];
    const host = await serve(["--data-dir", join(root, "data"), ...ports]);
    await under(environment, () => runCookbook("README.md", "round", names(root)));
    expect(await host.stop()).toBe(0);
  },
  60_000,
);
