/** What the options of the commands parse to; each command's own flags extend these. */

/** An option as it is typed, by the name of its flag: caFile is --ca-file. */
export const optionOf = (flag: string) =>
  `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

export interface OutputFlags {
  json?: boolean;
  quiet?: boolean;
}

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
  /** Of those commands alone that also work on files without a host. */
  offline?: boolean;
}

/** Of those that start an operation. */
export interface OperationFlags extends HostFlags {
  detach?: boolean;
}

export interface SelectionFlags {
  prefix?: string[];
  kind?: string[];
  link?: string[];
}
