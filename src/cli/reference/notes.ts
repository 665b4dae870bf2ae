/** Sections of docs/cli.md and of the man page that apply to all commands, in Markdown. */
export const notes: readonly { title: string; text: string }[] = [
  {
    title: "Host and local files",
    text: `\`verify\`, \`test-restore\`, \`copy\`, \`inspect\`, \`list\`, \`diff\` and \`export SOURCE\` use files locally and need no host, unless \`--address\`, \`--profile\`, HOLDFAST_ADDRESS or HOLDFAST_PROFILE selects one; \`--offline\` overrides the environment. \`restore --data-dir DIR\` needs no host either. Without a host, s3: URIs use the credentials of this user, HOLDFAST_S3_ENDPOINT, HOLDFAST_S3_REGION and HOLDFAST_S3_ADDRESSING, otherwise the settings of the AWS environment. All other commands connect to the gRPC port of a host, by default 127.0.0.1:8001.

A path can be given instead of a URI; it means \`file:\` with the absolute path. A host accesses its own disk: with \`--address\`, a path refers to the machine of the host.`,
  },
  {
    title: "Profiles and tokens",
    text: `A profile is a host with its connection settings. Profiles are read from the file of \`--profiles\`, otherwise of HOLDFAST_PROFILES, otherwise from \`holdfast/profiles.yaml\` in XDG_CONFIG_HOME (default: \`~/.config\`):

\`\`\`
default: prod
profiles:
  prod:
    address: backup.example:8001
    token-file: prod.token
    tls: true
    ca-file: authority.pem
\`\`\`

Keys: address, token or token-file, tls, ca-file, client-cert, client-key. Paths are relative to the file. Options take precedence over the environment, which takes precedence over the profile. The default profile applies only if no address is given, so that its token is never sent to another host. The token comes from \`--token\`, \`--token-file\` (a file that contains only the token), HOLDFAST_TOKEN or the profile, and is never printed. The command warns if a file that contains a token is readable by other users.`,
  },
  {
    title: "Times",
    text: `Options such as \`--at\` accept RFC 3339 (2026-11-24T15:04:05.123456Z, at most six decimals), microseconds since 1970 (16 digits), \`now\`, or a duration (units ms, s, m, h, d, w) followed by \`ago\`: \`15m ago\`, \`2h30m ago\`. \`--older-than\` also accepts a duration without \`ago\`. Times are printed as RFC 3339 in UTC with microseconds, so that they can be passed to an option; with \`--micros\` as microseconds since 1970, and so with \`--json\`.`,
  },
  {
    title: "Policies",
    text: `\`policy add\` and \`policy edit\` take a policy as options, or from \`--file\`: a YAML or JSON mapping with the fields of BackupPolicy as in REST, in camelCase or snake_case, or for \`policy add\` a list of mappings. Enums have their values as the options have them, for example zstd, or as REST has them. Paths are relative to the working directory. \`policy edit\` reads the policy, changes what the options give, and fails if another client changed the policy meanwhile. A repeatable option replaces the whole list; copies and webhooks that were there keep their other fields. Durations of policies have units s, m, h, d, w and y, for example 36h, 35d or 1d12h.

\`\`\`
name: nightly
destination: /backups/shop
schedule: { cron: 0 3 * * *, time_zone: Europe/Berlin }
retention: { keep_daily: 7, keep_monthly: 12 }
copies: [{ destination: "s3://bucket/shop", max_lag: 1d }]
restore_test: { schedule: { cron: 0 5 * * 0 } }
\`\`\``,
  },
  {
    title: "Output",
    text: `Results are printed to standard output, progress and errors to standard error. On a terminal, progress is a bar; otherwise a line whenever the stage changes, and every two seconds. \`--quiet\` prints only errors, and what \`export\` and \`completion\` output. \`--json\` prints one document to standard output, also for an error ([cli-json.md](cli-json.md)).`,
  },
  {
    title: "Confirmation",
    text: `\`restore\` and \`undo\` over existing documents, \`prune\` and \`policy remove\` show what would be replaced or removed and prompt for confirmation. Without a terminal they require \`--yes\`; if it is missing, they print the command to run and exit with 64. \`--dry-run\` shows the plan and changes nothing.`,
  },
  {
    title: "Interruption",
    text: `Ctrl-C and SIGTERM cancel the operation on the host, wait until it has ended, print the resulting state and what the same command does if it is repeated, and exit with 130. A second Ctrl-C exits at once; the operation may then continue. If the terminal closes (SIGHUP, exit 129) or the reader of the output closes the pipe (exit 141), the operation continues on the host: \`holdfast operations list\` shows its name, \`holdfast operations watch NAME\` follows it. Operations without a host end with the command. \`--detach\` starts an operation, prints its name and exits.`,
  },
  {
    title: "Exit codes",
    text: `| code | meaning |
|---|---|
| 0 | success |
| 1 | \`diff\`: documents differ |
| 64 | invalid command line or request, a time outside the restorable window, or \`--yes\` is missing |
| 65 | damaged data: \`verify\`, \`test-restore\`, \`check\`, \`restore\`; \`list --strict\` if a backup is damaged or untrusted |
| 66 | not found: a backup, document, operation or index |
| 69 | the host, a disk or another server is unreachable or unavailable; \`status\`: backups are unhealthy |
| 70 | other errors: a conflict, a version mismatch, an unsupported request, an internal error |
| 73 | no space left, including for the output, or a limit exceeded |
| 77 | the token is missing, unknown or lacks the role; the path or address is not allowed |
| 78 | a precondition is not met: configuration, an occupied destination, a backup that Holdfast did not create |
| 129 | the terminal closed; the operation continues |
| 130 | interrupted, or the confirmation was declined and nothing was changed |
| 141 | the reader of the output closed the pipe |

[errors.md](errors.md) lists the exit code of each error reason.`,
  },
];
