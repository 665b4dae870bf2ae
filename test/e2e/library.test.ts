import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { temporaryDirectory } from "../support/temporary-directory.js";

const root = process.cwd();
const run = (command: string, args: string[], cwd: string) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** A project with the packed package in node_modules and the dependencies of this checkout. */
function project(): { directory: string; files: string[] } {
  const directory = temporaryDirectory();
  const [packed] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", directory], root),
  ) as [{ filename: string; files: { path: string }[] }];
  const modules = join(directory, "node_modules");
  mkdirSync(join(modules, "holdfast"), { recursive: true });
  run(
    "tar",
    [
      "-xzf",
      join(directory, packed.filename),
      "-C",
      join(modules, "holdfast"),
      "--strip-components=1",
    ],
    directory,
  );
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name.startsWith(".") || existsSync(join(modules, name))) continue;
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  writeFileSync(join(directory, "package.json"), '{ "private": true, "type": "module" }\n');
  copyFileSync(join(root, "examples/library/shop.mjs"), join(directory, "shop.mjs"));
  return { directory, files: packed.files.map(({ path }) => path) };
}

const installed = project();

test("the package contains all required files and no others", () => {
  const { files } = installed;
  for (const path of [
    "LICENSE",
    "README.md",
    "dist/src/index.js",
    "dist/src/index.d.ts",
    "dist/src/cli/main.js",
    "docs/library.md",
    "docs/errors.md",
    "proto/holdfast/management/v1/management.proto",
    "third_party/LICENSE",
  ]) {
    expect(files).toContain(path);
  }
  expect(
    files.filter(
      (path) =>
        !/^(dist|docs|examples|proto|third_party)\/|^(LICENSE|README\.md|CHANGELOG\.md|package\.json)$/.test(
          path,
        ),
    ),
  ).toEqual([]);
  expect(files.filter((path) => /\.test\.|\.map$/.test(path))).toEqual([]);
});

test("the example runs from the package", () => {
  const output = run(process.execPath, ["shop.mjs", "data"], installed.directory);
  expect(output).toMatch(
    /^serving http:\/\/127\.0\.0\.1:\d+\/shop\/orders\nrefused: VERSION_MISMATCH\nbacked up to file:.*\nrestored \/shop\/orders\/1: 30 metres\n$/,
  );
});

test("the command of the package runs, and the example compiles against its types", () => {
  const { directory } = installed;
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(
    run(
      process.execPath,
      [join(directory, "node_modules/holdfast/dist/src/cli/main.js"), "--version"],
      directory,
    ),
  ).toBe(`${version}\n`);
  const compiler = resolve(root, "node_modules/typescript/bin/tsc");
  const options = [
    "--noEmit",
    "--allowJs",
    "--strict",
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--types",
    "node",
    "--preserveSymlinks",
  ];
  run(process.execPath, [compiler, ...options, "shop.mjs"], directory);
});
