import { settings } from "../../host/settings.js";

const head = `# Configuration

<!-- Generated from the settings by npm run generate:cli. Do not edit. -->

Each setting of \`holdfast serve\` is a flag, an environment variable and a key of the YAML file that
\`--config FILE\` names. For \`--http-port\`, the variable is HOLDFAST_HTTP_PORT and the key is
\`http-port\`. Flags take precedence over the environment, which takes precedence over the file.

A repeatable setting is a comma-separated list in the environment, and may be a list in the file.
\`holdfast config check\` validates the settings without starting a host.

By default a host listens on loopback. Any other address requires \`--token-file\` or
\`--tls-client-ca\`, and \`--backup-root\`; see [security.md](security.md).

`;

/** Returns the content of docs/configuration.md: how settings are given, then a table of them. */
export function configurationReference(): string {
  const rows = settings.map(
    ({ name, placeholder, help }) =>
      `| \`--${name} ${placeholder}\` | ${help.replaceAll("|", "\\|")} |`,
  );
  return `${[`${head}| flag | description |`, "|---|---|", ...rows].join("\n")}\n`;
}
