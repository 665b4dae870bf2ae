import { commandTree } from "./command-tree.js";
import { createProgram } from "./program.js";

const namesOf = (invoked?: string) => createProgram(invoked).commands.map((one) => one.name());
const helpOf = (program: ReturnType<typeof createProgram>) =>
  commandTree(program)
    .slice(1)
    .map(({ command }) => command.helpInformation());

test("a command that is invoked is the only one, and the same as among all", () => {
  expect(namesOf("inspect")).toEqual(["inspect"]);
  const all = createProgram();
  for (const name of namesOf()) {
    if (name === "completion") continue;
    const alone = createProgram(name);
    expect(namesOf(name)).toContain(name);
    expect(helpOf(all)).toEqual(expect.arrayContaining(helpOf(alone)));
  }
});

test("the completion script, the help and what is no command have all commands", () => {
  for (const other of ["completion", "help", "--help", "inspec", "toString", ""])
    expect(namesOf(other)).toEqual(namesOf());
});
