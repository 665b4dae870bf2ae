// Lints made-up contents of real files with the project's own configuration. Standard input: [{ file, code }] as JSON;
// standard output: for each the messages of the architecture's rule.
import { text } from "node:stream/consumers";
import { ESLint } from "eslint";

const eslint = new ESLint();
const answers = [];
for (const { file, code } of JSON.parse(await text(process.stdin))) {
  const [result] = await eslint.lintText(code, { filePath: file });
  answers.push(
    (result?.messages ?? [])
      .filter((one) => one.ruleId === "holdfast/arrows")
      .map((one) => one.message),
  );
}
process.stdout.write(JSON.stringify(answers));
