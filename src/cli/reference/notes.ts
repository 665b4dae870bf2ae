/** What holds for all commands, in Markdown: docs/cli.md and the man page have it. */
export const notes: readonly { title: string; text: string }[] = [
  {
    title: "Where commands work",
    text: `\`verify\`, \`inspect\`, \`list\`, \`diff\` and \`export SOURCE\` read files in this process and need no host, unless \`--address\`, \`--profile\`, HOLDFAST_ADDRESS or HOLDFAST_PROFILE names one; \`--offline\` goes before the environment. \`restore --data-dir DIR\` needs no host either. All others ask a host by its gRPC port, by default 127.0.0.1:8001.

A path in place of a URI is \`file:\` of its absolute path. A host looks at its own disk: with \`--address\` a path means that of the host's machine.`,
  },
  {
    title: "Profiles and tokens",
    text: `A profile is a host with what it takes to speak to it, in \`~/.config/holdfast/profiles.yaml\` (below XDG_CONFIG_HOME where that is set), in the file of HOLDFAST_PROFILES, or in that of \`--profiles\`:

\`\`\`
default: prod
profiles:
  prod:
    address: backup.example:8001
    token-file: prod.token
    tls: true
    ca-file: authority.pem
\`\`\`

Keys: address, token or token-file, tls, ca-file, client-cert, client-key. Paths are relative to the file. Options go before the environment, which goes before the profile. The default profile counts only where no address is given, so that its token goes to no other host. A token comes from \`--token\`, \`--token-file\` (a file that holds the token alone), HOLDFAST_TOKEN or the profile, and is in no output. A file with a token in it that others may read is warned of.`,
  },
  {
    title: "Times",
    text: `\`--at\` and the like take 16 digits of microseconds since 1970, RFC 3339 (2026-11-24T15:04:05.123456Z, at most six digits of a second), \`now\`, or a span (ms, s, m, h, d, w) and ago: \`15m ago\`, \`2h30m ago\`. \`--older-than\` takes a span without ago too. Times are shown in UTC, with their microseconds where they can be typed again.`,
  },
  {
    title: "Output",
    text: `Results go to standard output, progress and errors to standard error. On a terminal progress is a bar, elsewhere a line at each change of the stage and every two seconds. \`--quiet\`: errors alone, and what was asked for by \`export\` and \`completion\`. \`--json\`: one document on standard output, also for errors ([cli-json.md](cli-json.md)).`,
  },
  {
    title: "Being asked",
    text: `\`restore\` over documents, \`undo\` over documents and \`prune\` show what would be replaced or removed, and ask on a terminal. Where nobody can be asked they want \`--yes\`, and otherwise show the command to type and exit with 64. \`--dry-run\` shows the plan and does nothing.`,
  },
  {
    title: "Interrupting",
    text: `Ctrl-C and SIGTERM cancel the operation on the host, wait for its end, and say what is there now and what the same command does again: exit 130. A second one leaves at once; the operation may go on then. Where the terminal goes away (SIGHUP: exit 129) or nobody reads the output (exit 141), the operation on the host goes on: \`holdfast operations list\` names it, \`holdfast operations watch NAME\` follows it. Work without a host ends with the command. \`--detach\` starts an operation and prints its name.`,
  },
  {
    title: "Exit codes",
    text: `| code | what it means |
|---|---|
| 0 | it is done |
| 1 | \`diff\`: documents differ |
| 64 | the command line or a request cannot be understood, a time lies outside the window, or \`--yes\` is missing |
| 65 | something is damaged: \`verify\`, \`restore\`; \`list --strict\` where a backup is damaged |
| 66 | it is not there: a backup, document, operation, index |
| 69 | the host, a disk or another server cannot be reached or does not answer now; \`status\`: backups are not as they should be |
| 70 | all else: a conflict, another version than expected, not supported, a fault |
| 73 | no space, also for the output, or more than is allowed |
| 77 | a token is missing or unknown, or lacks the role; a path or address is not allowed |
| 78 | things are not as the command needs them: configuration, a destination that is taken, a backup that is none of ours |
| 129 | the terminal went away; the operation goes on |
| 130 | interrupted, or the question was answered with no: nothing was changed |
| 141 | nobody reads the output any more |

[errors.md](errors.md) has the code of each reason.`,
  },
];
