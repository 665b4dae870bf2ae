import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Snippet {
  file: string;
  code: string;
  /** The message of the rule; undefined if the import is allowed. */
  problem?: RegExp;
}

/** Existing files, so that the typed lint accepts them, with contents of the test. */
const snippets: Snippet[] = [
  {
    file: "src/errors.ts",
    code: `import "./limits.js"; import "./io/entry.js";`,
    problem: /src\/errors\.ts may not import src\/io/,
  },
  {
    file: "src/io/entry.ts",
    code: `import { openDocumentIndex } from "../store/document-index.js";`,
    problem: /src\/io may not import src\/store/,
  },
  {
    file: "src/document/link.ts",
    code: `export * from "../engine/engine.js";`,
    problem: /src\/document may not import src\/engine/,
  },
  {
    file: "src/engine/engine.ts",
    code: `import { a } from "../document/document.js";`,
    problem: /types alone from src\/document/,
  },
  {
    file: "src/container/open.ts",
    code: `import type { a } from "../backup/plan.js";`,
    problem: /src\/container may not import src\/backup/,
  },
  {
    file: "src/backup/plan.ts",
    code: `import type { a } from "../engine/sqlite/storage-engine.js";`,
    problem: /src\/backup may not import src\/engine\/sqlite/,
  },
  {
    file: "src/backup/plan.ts",
    code: `import { a } from "../engine/engine.js";`,
    problem: /types alone from src\/engine/,
  },
  {
    file: "src/backup/plan.ts",
    code: `export const a = import("../service/documents/documents.js");`,
    problem: /src\/backup may not import src\/service/,
  },
  {
    file: "src/backup/plan.ts",
    code: `export { a } from "../../test/support/fake-store.js";`,
    problem: /src may not import test/,
  },
  {
    file: "src/service/backups/management.ts",
    code: `import { sqliteEngine } from "../../engine/sqlite/storage-engine.js";`,
    problem: /src\/service may not import src\/engine\/sqlite/,
  },
  {
    file: "src/service/documents/documents.ts",
    code: `import { a } from "../../api/status.js";`,
    problem: /src\/service may not import src\/api/,
  },
  {
    file: "src/service/documents/documents.ts",
    code: `import { a } from "../../../gen/ts/google/rpc/status_pb.js";`,
    problem: /src\/service may not import src\/gen/,
  },
  {
    file: "src/api/status.ts",
    code: `import { a } from "../store/document-index.js";`,
    problem: /src\/api may not import src\/store/,
  },
  {
    file: "src/api/status.ts",
    code: `import { a } from "../backup/plan.js";`,
    problem: /src\/api may import types alone from src\/backup/,
  },
  {
    file: "src/cli/main.ts",
    code: `import { a } from "../engine/sqlite/storage-engine.js";`,
    problem: /src\/cli may not import src\/engine\/sqlite/,
  },
  {
    file: "src/encryption/encryption.ts",
    code: `import { a } from "../segment/format.js";`,
    problem: /src\/encryption may not import src\/segment/,
  },
  {
    file: "src/backup/plan.ts",
    code: `export const a = import("age-encryption");`,
    problem: /age-encryption may not be imported in src\/backup/,
  },
  {
    file: "src/store/document-index.ts",
    code: `import Database from "better-sqlite3";`,
    problem: /better-sqlite3 may not be imported in src\/store/,
  },
  {
    file: "src/service/documents/documents.ts",
    code: `import { status } from "@grpc/grpc-js";`,
    problem: /@grpc\/grpc-js may not be imported/,
  },
  {
    file: "src/offline/services.ts",
    code: `import { Code } from "@connectrpc/connect";`,
    problem: /@connectrpc\/connect may not be imported/,
  },
  { file: "src/offline/services.ts", code: `import type { Code } from "@connectrpc/connect";` },
  {
    file: "src/backup/plan.ts",
    code: `import type { a } from "../engine/engine.js"; import { b } from "../container/container.js"; import "../limits.js";`,
  },
  { file: "src/io/directory-lock.ts", code: `import Database from "better-sqlite3";` },
  {
    file: "src/host/start.ts",
    code: `import { sqliteEngine } from "../engine/sqlite/storage-engine.js";`,
  },
];

test("the lint rejects imports against the direction of the layers, and no others", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["test/support/lint-snippets.mjs"],
    {
      input: JSON.stringify(snippets.map(({ file, code }) => ({ file, code }))),
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(stderr);
  const answers = JSON.parse(stdout) as string[][];
  for (const [i, { file, code, problem }] of snippets.entries()) {
    const found = { file, code, messages: answers[i] };
    expect(found).toEqual({
      file,
      code,
      messages: problem ? [expect.stringMatching(problem)] : [],
    });
  }
});

/** Relative imports, including types and dynamic ones. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const imports = text.matchAll(/^(?:import|export) [^;]*?from "(\.[^"]+)";/gms);
  const later = text.matchAll(/\bimport\("(\.[^"]+)"\)/g);
  return [...imports, ...later]
    .map(([, source = ""]) => join(file, "..", source.replace(/\.js$/, ".ts")))
    .filter((path) => existsSync(path));
}

test("has no circular imports, including imports of types", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join("src", name));
  expect(files.length).toBeGreaterThan(50);
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    expect([...way, file].slice(way.includes(file) ? way.indexOf(file) : way.length + 1)).toEqual(
      [],
    );
    if (done.has(file)) return;
    done.add(file);
    for (const next of importsOf(file)) visit(next, [...way, file]);
  };
  for (const file of files) visit(file, []);
});
