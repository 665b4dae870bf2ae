// Lints made-up contents of real files with the project's own configuration. Standard input: [{ file, code }] as JSON;
// standard output: for each the messages of the architecture's rule.
import { text } from "node:stream/consumers";
import { ESLint } from "eslint";

// The rule needs no types, which take most of the time of a lint.
const eslint = new ESLint({
  ruleFilter: ({ ruleId }) => ruleId === "holdfast/arrows",
  overrideConfig: {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: false } },
    linterOptions: { reportUnusedDisableDirectives: "off" },
  },
});
const answers = [];
for (const { file, code } of JSON.parse(await text(process.stdin))) {
  const [result] = await eslint.lintText(code, { filePath: file });
  answers.push(
    (result?.messages ?? [])
      // Also an error of the parser, which has no rule.
      .map((one) => one.message),
  );
}
process.stdout.write(JSON.stringify(answers));
