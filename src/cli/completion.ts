import type { Command, Option } from "commander";
import { commandTree, type CommandEntry } from "./command-tree.js";

type Shell = "bash" | "zsh" | "fish";

/**
 * Returns a completion script for a shell. It completes commands, options and choices, and file
 * names for other values.
 */
export function completionScript(program: Command, shell: Shell): string {
  const entries = commandTree(program);
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](entries);
}

const flagsOf = (option: Option) => [option.short, option.long].filter((one) => one !== undefined);
const keyOf = ({ path }: CommandEntry) => path.join(" ");
const takesValue = (option: Option) => option.required || option.optional;

/** Case arms that set the candidate words of each command. */
function cases(entries: CommandEntry[]): string {
  return entries
    .map(
      (entry) =>
        `    "${keyOf(entry)}") words="${[...entry.children, ...entry.options.flatMap(flagsOf)].join(" ")}" ;;`,
    )
    .join("\n");
}

/** Case arms that set the candidate words of options with a fixed set of values. */
function choices(entries: CommandEntry[]): string {
  const arms = entries.flatMap((entry) =>
    entry.options
      .filter(({ argChoices }) => argChoices)
      .map(
        (option) =>
          `    "${keyOf(entry)} ${option.long}") words="${(option.argChoices ?? []).join(" ")}" ;;`,
      ),
  );
  return arms.join("\n");
}

const withValues = (entries: CommandEntry[]) =>
  [...new Set(entries.flatMap(({ options }) => options.filter(takesValue).flatMap(flagsOf)))].join(
    "|",
  );

/** Shell code that finds the command before the cursor and sets the candidate words. */
const findPath = (entries: CommandEntry[]) => `
  local given="" word i
  for ((i = first; i < at; i++)); do
    word="\${typed[i]}"
    case "\${given:+$given }$word" in
      ${entries.flatMap((entry) => (entry.path.length > 0 ? [`"${keyOf(entry)}"`] : [])).join("|")}) given="\${given:+$given }$word" ;;
    esac
  done
  local words="" before="\${typed[at-1]}"
  case "$given $before" in
${choices(entries)}
    *) case "$before" in ${withValues(entries)}) words="" before=file ;; *) before="" ;; esac ;;
  esac
  if [[ -z "$words" && "$before" != file ]]; then case "$given" in
${cases(entries)}
  esac; fi`;

function bashScript(entries: CommandEntry[]): string {
  return `# Completion of holdfast for bash: source <(holdfast completion bash)
_holdfast() {
  local typed=("\${COMP_WORDS[@]}") at=$COMP_CWORD first=1 current="\${COMP_WORDS[COMP_CWORD]}"
${findPath(entries)}
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ \${#COMPREPLY[@]} -eq 0 && "$current" != -* ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _holdfast holdfast
`;
}

function zshScript(entries: CommandEntry[]): string {
  return `#compdef holdfast
# Completion of holdfast for zsh: source <(holdfast completion zsh)
_holdfast() {
  local typed=("\${words[@]}") at=$CURRENT first=2
  local -a found
${findPath(entries).replaceAll("words", "offered")}
  found=(\${=offered})
  if [[ \${#found} -gt 0 ]]; then compadd -- $found; fi
  if [[ "\${typed[at]}" != -* ]]; then _files; fi
}
compdef _holdfast holdfast
`;
}

function fishScript(entries: CommandEntry[]): string {
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = [
    "# Completion of holdfast for fish: holdfast completion fish > ~/.config/fish/completions/holdfast.fish",
  ];
  for (const { path, children, command, options } of entries) {
    const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
    const beforeSubcommand =
      path.length === 0
        ? ["__fish_use_subcommand"]
        : [
            ...seen,
            ...(children.length > 0
              ? [`not __fish_seen_subcommand_from ${children.join(" ")}`]
              : []),
          ];
    const condition = quoted(beforeSubcommand.join("; and "));
    for (const name of children)
      lines.push(
        `complete -c holdfast -n ${condition} -a ${name} -d ${quoted(command.commands.find((one) => one.name() === name)?.description() ?? "")}`,
      );
    for (const option of options) {
      const names = [
        option.long === undefined ? "" : `-l ${option.long.slice(2)}`,
        option.short === undefined ? "" : `-s ${option.short.slice(1)}`,
        takesValue(option) ? "-r" : "",
        option.argChoices ? `-xa ${quoted(option.argChoices.join(" "))}` : "",
      ];
      lines.push(
        `complete -c holdfast -n ${condition} ${names.filter((one) => one !== "").join(" ")} -d ${quoted(option.description)}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
