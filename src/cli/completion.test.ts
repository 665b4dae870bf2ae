import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { haveTools, run } from "../../test/support/tools.js";
import { completionScript } from "./completion.js";
import { createProgram } from "./program.js";

async function offered(...words: string[]): Promise<string[]> {
  const file = join(temporaryDirectory(), "completion");
  writeFileSync(file, completionScript(createProgram(), "bash"));
  const quoted = ["holdfast", ...words].map((word) => `'${word}'`).join(" ");
  const { stdout, stderr } = await run("bash", [
    "-c",
    `source ${file}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ]);
  expect(stderr).toBe("");
  return stdout.trim().split("\n");
}

(haveTools("the completion of bash", "bash") ? test : test.skip)(
  "bash completes commands, options, choices and files",
  async () => {
    expect(await offered("re")).toEqual(["restore"]);
    expect(await offered("operations", "")).toEqual(
      expect.arrayContaining(["list", "watch", "cancel"]),
    );
    expect(await offered("restore", "/backups/shop", "--da")).toEqual(["--data-dir"]);
    expect(await offered("verify", "/backups", "--level", "s")).toEqual(["sample"]);
    expect(await offered("documents", "put", "--expected")).toEqual(["--expected-version"]);
    expect(await offered("export", "-o", "packa")).toEqual(
      expect.arrayContaining(["package.json"]),
    );
  },
);

test.each(["bash", "zsh", "fish"] as const)(
  "%s: the shell reads the script without an error",
  async (shell) => {
    if (!haveTools(`the completion of ${shell}`, shell)) return;
    const file = join(temporaryDirectory(), "completion");
    writeFileSync(file, completionScript(createProgram(), shell));
    expect(await run(shell, ["-n", file])).toEqual({ code: 0, stdout: "", stderr: "" });
  },
);
