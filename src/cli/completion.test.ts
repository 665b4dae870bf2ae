import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { haveTools, run } from "../../test/support/tools.js";
import { completionScript } from "./completion.js";
import { createProgram } from "./program.js";

async function candidates(...words: string[]): Promise<string[]> {
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

(haveTools("completion in bash", "bash") ? test : test.skip)(
  "bash completes commands, options, choices and file names",
  async () => {
    expect(await candidates("re")).toEqual(["restore"]);
    expect(await candidates("operations", "")).toEqual(
      expect.arrayContaining(["list", "watch", "cancel"]),
    );
    expect(await candidates("restore", "/backups/shop", "--da")).toEqual(["--data-dir"]);
    expect(await candidates("verify", "/backups", "--level", "s")).toEqual(["sample"]);
    expect(await candidates("documents", "put", "--expected")).toEqual(["--expected-version"]);
    expect(await candidates("export", "-o", "packa")).toEqual(
      expect.arrayContaining(["package.json"]),
    );
  },
);

test.each(["bash", "zsh", "fish"] as const)("%s parses the completion script", async (shell) => {
  if (!haveTools(`completion in ${shell}`, shell)) return;
  const file = join(temporaryDirectory(), "completion");
  writeFileSync(file, completionScript(createProgram(), shell));
  expect(await run(shell, ["-n", file])).toEqual({ code: 0, stdout: "", stderr: "" });
});
