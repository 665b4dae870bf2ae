import { Argument, type Command } from "commander";
import { addExamples } from "../options.js";

/** Adds `holdfast completion`. */
export function addCompletion(program: Command): void {
  const command = program
    .command("completion")
    .description("print a shell completion script")
    .addArgument(new Argument("<SHELL>", "shell").choices(["bash", "zsh", "fish"]))
    .option("--quiet", "no effect: the script is always printed")
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
