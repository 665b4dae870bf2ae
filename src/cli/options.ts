import { Option, type Command } from "commander";

const connection = "Connection:";
const output = "Output:";

const grouped = (heading: string, flags: string, help: string) =>
  new Option(flags, help).helpGroup(heading);

/** --json and --quiet. */
export function addOutputOptions(
  command: Command,
  { json = true }: { json?: boolean } = {},
): Command {
  if (json)
    command.addOption(
      grouped(
        output,
        "--json",
        "one JSON document on standard output, docs/cli-json.md says which",
      ),
    );
  return command.addOption(grouped(output, "--quiet", "errors alone"));
}

/** Which host to ask, and how. */
export function addHostOptions(
  command: Command,
  { offline = false }: { offline?: boolean } = {},
): Command {
  const options = [
    grouped(
      connection,
      "--address <HOST:PORT>",
      `the host's gRPC port, https:// before it for TLS; or HOLDFAST_ADDRESS (default ${offline ? "none: files are read here" : "127.0.0.1:8001"})`,
    ),
    grouped(connection, "--profile <NAME>", "a host of the profiles file; or HOLDFAST_PROFILE"),
    grouped(
      connection,
      "--profiles <FILE>",
      "the profiles file; or HOLDFAST_PROFILES (default ~/.config/holdfast/profiles.yaml)",
    ),
    grouped(connection, "--token <TOKEN>", "a token of the host; or HOLDFAST_TOKEN"),
    grouped(connection, "--token-file <FILE>", "a file that holds the token alone"),
    grouped(connection, "--tls", "speak TLS"),
    grouped(connection, "--ca-file <FILE>", "authorities to trust beside the usual ones, in PEM"),
    grouped(
      connection,
      "--client-cert <FILE>",
      "a certificate to show the host, in PEM; needs --client-key",
    ),
    grouped(connection, "--client-key <FILE>", "its private key, in PEM"),
  ];
  if (offline)
    options.push(
      grouped(connection, "--offline", "read files here, whatever the environment says of a host"),
    );
  for (const option of options) command.addOption(option);
  return command;
}

export function addDetach(command: Command): Command {
  return command.option(
    "--detach",
    "start the operation and print its name; `holdfast operations watch NAME` watches it",
  );
}

/** --prefix, --kind and --link. */
export function addSelection(command: Command): Command {
  return command
    .option("--prefix <LINK>", "only documents whose link begins so; repeatable", collect)
    .option("--kind <KIND>", "only documents of this kind; repeatable", collect)
    .option("--link <LINK>", "only this document; repeatable", collect);
}

export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Lines below the help: what to type for what. */
export function addExamples(
  command: Command,
  examples: readonly (readonly [what: string, line: string])[],
): Command {
  return command.addHelpText(
    "after",
    `\nExamples:\n${examples.map(([what, line]) => `  # ${what}\n  ${line}`).join("\n")}`,
  );
}
