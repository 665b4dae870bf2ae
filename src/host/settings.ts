/**
 * A setting of `holdfast serve`, available as a flag, an environment variable and a key of the YAML
 * file.
 */
export interface Setting {
  /**
   * Name of the flag without leading dashes, which is also the YAML key. The variable is HOLDFAST_
   * and the name in upper case with underscores.
   */
  name: string;
  /** Name of the value in help texts. */
  placeholder: string;
  /** One line, which ends with the default in parentheses. */
  help: string;
  /** The flag is repeatable, the variable a comma-separated list, the YAML value may be a list. */
  many?: boolean;
  /** The value is a URL whose user and query are secret. */
  isSecretUrl?: boolean;
}

/** All settings, in the order of the help. */
export const settings: readonly Setting[] = [
  { name: "data-dir", placeholder: "DIR", help: "directory of the indexes (default: ./data)" },
  {
    name: "engine",
    placeholder: "sqlite|postgres",
    help: "where the durable index is kept: in the data directory, or in a PostgreSQL database (default: sqlite)",
  },
  {
    name: "postgres-url",
    placeholder: "URL",
    help: "engine postgres: postgres://USER:PASSWORD@HOST[:PORT][,HOST...]/DATABASE, tried until one is a primary (default: none)",
    isSecretUrl: true,
  },
  {
    name: "postgres-schema",
    placeholder: "NAME",
    help: "engine postgres: PostgreSQL schema of the tables (default: holdfast)",
  },
  {
    name: "postgres-ca-file",
    placeholder: "FILE",
    help: "engine postgres: PEM file of the CA of the server, which requires TLS (default: none; sslmode=require in the URL requires TLS)",
  },
  {
    name: "postgres-cert-file",
    placeholder: "FILE",
    help: "engine postgres: PEM client certificate for the server; requires --postgres-key-file (default: none)",
  },
  {
    name: "postgres-key-file",
    placeholder: "FILE",
    help: "engine postgres: PEM private key of that certificate (default: none)",
  },
  {
    name: "advertise-host",
    placeholder: "NAME",
    help: "engine postgres: name or address by which the other hosts reach this one (default: the listen address, or the name of the machine for 0.0.0.0 and ::)",
  },
  {
    name: "http-host",
    placeholder: "ADDRESS",
    help: "listen address for HTTP (default: 127.0.0.1)",
  },
  {
    name: "http-port",
    placeholder: "PORT",
    help: "HTTP port; 0 selects a free one (default: 8000)",
  },
  {
    name: "grpc-host",
    placeholder: "ADDRESS",
    help: "listen address for gRPC (default: 127.0.0.1)",
  },
  {
    name: "grpc-port",
    placeholder: "PORT",
    help: "gRPC port; 0 selects a free one (default: 8001)",
  },
  {
    name: "id",
    placeholder: "ID",
    help: "host ID, the owner of documents it writes (default: random, stored in the data directory)",
  },
  {
    name: "factory",
    placeholder: "PATH=KIND[@INDEX]",
    help: "factory in addition to /core/examples; repeatable (default: none)",
    many: true,
  },
  {
    name: "memory-index",
    placeholder: "PATH",
    help: "additional in-memory index; repeatable (default: none)",
    many: true,
  },
  {
    name: "backup-root",
    placeholder: "DIR|URI",
    help: "directory or s3: URI that backups are restricted to; repeatable (default: no restriction)",
    many: true,
  },
  {
    name: "auto-backup-destination",
    placeholder: "DIR|URI",
    help: "destination of automatic backups (default: auto-backup in the data directory)",
  },
  {
    name: "backup-max-age",
    placeholder: "DURATION",
    help: "age of the newest successful backup above which backups are unhealthy (default: no limit)",
  },
  {
    name: "file-root",
    placeholder: "DIR",
    help: "directory that /local-files serves; repeatable (default: the backup roots; with tokens or a client CA: none)",
    many: true,
  },
  {
    name: "history",
    placeholder: "DURATION",
    help: "how long versions beyond --retain-versions are kept (default: 24h)",
  },
  {
    name: "retain-versions",
    placeholder: "N",
    help: "versions of each document kept regardless of age (default: 10000)",
  },
  {
    name: "token-file",
    placeholder: "FILE",
    help: "file of tokens and their roles, one per line (default: none, authentication is disabled)",
  },
  {
    name: "host-name",
    placeholder: "NAME",
    help: "additional name that clients may use for this host; repeatable (default: none)",
    many: true,
  },
  {
    name: "recipients-file",
    placeholder: "FILE",
    help: "file of age recipients, one per line, to which backups are encrypted unless a request names others (default: none)",
  },
  {
    name: "identity-file",
    placeholder: "FILE",
    help: "identity file of age, with which encrypted backups of policies are verified and restored on trial, and nothing else (default: none)",
  },
  {
    name: "policy-file",
    placeholder: "FILE",
    help: "YAML file of backup policies, which cannot be changed at run time (default: none)",
  },
  {
    name: "trusted-signers",
    placeholder: "FILE",
    help: "allowed_signers file of OpenSSH; backups that none of them has signed are not used (default: none, signatures are not required)",
  },
  {
    name: "allow-destination",
    placeholder: "HOST[:PORT]",
    help: "private address that http(s) and S3 backups may use although this host is reachable by others; repeatable (default: none)",
    many: true,
  },
  {
    name: "ca-file",
    placeholder: "FILE",
    help: "PEM file of additional trusted CAs for outgoing https (default: none)",
  },
  {
    name: "client-cert",
    placeholder: "FILE",
    help: "PEM client certificate for outgoing https; requires --client-key (default: none)",
  },
  {
    name: "client-key",
    placeholder: "FILE",
    help: "PEM private key of the client certificate (default: none)",
  },
  {
    name: "s3-endpoint",
    placeholder: "URL",
    help: "server of s3: destinations, https://HOST[:PORT] (default: AWS, or AWS_ENDPOINT_URL_S3)",
  },
  {
    name: "s3-region",
    placeholder: "REGION",
    help: "region of s3: destinations (default: AWS_REGION or the profile; with an endpoint: us-east-1)",
  },
  {
    name: "s3-addressing",
    placeholder: "path|virtual",
    help: "where requests name the bucket, in the path or in the host name (default: path with an endpoint, else virtual)",
  },
  {
    name: "transfer-space",
    placeholder: "SIZE",
    help: "maximum total size of streamed archives in the data directory (default: 64GiB)",
  },
  {
    name: "transfer-count",
    placeholder: "N",
    help: "maximum number of streamed archives (default: 32)",
  },
  {
    name: "transfer-lease",
    placeholder: "DURATION",
    help: "how long an unused streamed archive is kept (default: 1h)",
  },
  {
    name: "opened-space",
    placeholder: "SIZE",
    help: "maximum total size of opened backups in the data directory (default: 64GiB)",
  },
  {
    name: "console",
    placeholder: "on|off",
    help: "web console at /console/; --no-console turns it off (default: on)",
  },
  {
    name: "cors-origin",
    placeholder: "ORIGIN",
    help: "origin allowed to call this host from a browser; * for all, requires tokens; repeatable (default: none)",
    many: true,
  },
  {
    name: "tls-cert",
    placeholder: "FILE",
    help: "PEM certificate with its intermediates; enables TLS on both ports (default: none)",
  },
  {
    name: "tls-key",
    placeholder: "FILE",
    help: "unencrypted PEM private key of the certificate (default: none)",
  },
  {
    name: "tls-client-ca",
    placeholder: "FILE",
    help: "PEM file of CAs; requires clients to present a certificate that one of them signed (default: none)",
  },
  {
    name: "log-format",
    placeholder: "FORMAT",
    help: "json, pretty, or auto, which is pretty on a terminal (default: auto)",
  },
  {
    name: "log-level",
    placeholder: "LEVEL",
    help: "trace, debug, info, warn, error, fatal or silent (default: info)",
  },
];
