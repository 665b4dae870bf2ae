/** Returns the option of a flag as typed on the command line, for example --ca-file for caFile. */
export const optionOf = (flag: string) =>
  `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Flags that control what a command prints. */
export interface OutputFlags {
  json?: boolean;
  quiet?: boolean;
  /** Only of commands that print times. */
  micros?: boolean;
}

/** Flags that select a host and how to connect to it. */
export interface HostFlags extends OutputFlags {
  address?: string;
  profile?: string;
  profiles?: string;
  token?: string;
  tokenFile?: string;
  tls?: boolean;
  caFile?: string;
  clientCert?: string;
  clientKey?: string;
  /** Only of commands that can read files without a host. */
  offline?: boolean;
  /** Only of commands that can read files without a host. */
  trustedSigners?: string;
}

/** Flags of commands that start an operation. */
export interface OperationFlags extends HostFlags {
  detach?: boolean;
}

/** Flags that select documents; each is repeatable. */
export interface SelectionFlags {
  prefix?: string[];
  kind?: string[];
  link?: string[];
}

/** Flags of holdfast import. */
export interface ImportFlags extends HostFlags {
  fromXenon?: string;
  to?: string;
  factory?: string[];
  allVersions?: boolean;
  index?: string;
  workDir?: string;
  pageSize?: string;
  replace?: boolean;
  skip?: string;
}

/** Values of the settings given on the command line, by name. */
export type SettingFlags = Partial<Record<string, string | string[]>>;

/** Names of the fields of a policy that holdfast policy edit --clear removes. */
export const clearableFields = [
  "acknowledge",
  "compression",
  "copies",
  "copy-max-lag",
  "copy-schedule",
  "heartbeats",
  "jitter",
  "max-age",
  "recipients",
  "restore-test",
  "retention",
  "time-zone",
  "verify",
  "webhooks",
  "when-unreachable",
  "window",
] as const;

/** Name of a field for --clear. */
export type ClearableField = (typeof clearableFields)[number];
