import { Argument, type Command } from "commander";
import { addExamples } from "../options.js";

export function addCompletion(program: Command): void {
  const command = program
    .command("completion")
    .description("print a script that completes the commands and options in a shell")
    .addArgument(new Argument("<SHELL>", "the shell").choices(["bash", "zsh", "fish"]))
    .option("--quiet", "changes nothing: the script is what was asked for")
    .action(async (shell: "bash" | "zsh" | "fish") => {
      const { completionScript } = await import("../completion.js");
      process.stdout.write(completionScript(program, shell));
    });
  addExamples(command, [
    ["bash, in ~/.bashrc", "source <(holdfast completion bash)"],
    ["zsh, in ~/.zshrc after compinit", "source <(holdfast completion zsh)"],
    ["fish", "holdfast completion fish > ~/.config/fish/completions/holdfast.fish"],
  ]);
}
