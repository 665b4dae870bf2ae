/** One setting of `holdfast serve`: a flag, an environment variable and a key of the YAML file. */
interface Setting {
  /** Without dashes; HOLDFAST_ and upper case give the variable, as it stands the YAML key. */
  name: string;
  placeholder: string;
  help: string;
  many?: boolean;
}

export const settings: readonly Setting[] = [
  { name: "data-dir", placeholder: "DIR", help: "where the indexes are kept (default ./data)" },
  { name: "http-host", placeholder: "H", help: "address of the HTTP port (default 127.0.0.1)" },
  { name: "http-port", placeholder: "N", help: "HTTP port; 0 takes a free one (default 8000)" },
  { name: "grpc-host", placeholder: "H", help: "address of the gRPC port (default 127.0.0.1)" },
  { name: "grpc-port", placeholder: "N", help: "gRPC port; 0 takes a free one (default 8001)" },
  {
    name: "id",
    placeholder: "ID",
    help: "id of this host, the owner of what it writes (default: a random one, kept)",
  },
  {
    name: "factory",
    placeholder: "PATH=KIND[@INDEX]",
    help: "a factory to serve beside /core/examples; repeatable",
    many: true,
  },
  {
    name: "memory-index",
    placeholder: "PATH",
    help: "a further in-memory index; repeatable",
    many: true,
  },
  {
    name: "backup-root",
    placeholder: "DIR",
    help: "a directory that backups may lie in; repeatable (default: anywhere)",
    many: true,
  },
  {
    name: "auto-backup-directory",
    placeholder: "DIR",
    help: "where automatic backups go (default auto-backup in the data directory)",
  },
  {
    name: "backup-max-age",
    placeholder: "DURATION",
    help: "how old the newest good backup may be before health says so (default: as old as it likes)",
  },
  {
    name: "file-root",
    placeholder: "DIR",
    help: "a directory that files of /local-files may lie in; repeatable (default: the backup roots; with tokens or a client CA none)",
    many: true,
  },
  {
    name: "history",
    placeholder: "DURATION",
    help: "how long versions beyond the retained count stay (default 24h)",
  },
  {
    name: "retain-versions",
    placeholder: "N",
    help: "versions of a document that stay whatever their age (default 10000)",
  },
  {
    name: "token-file",
    placeholder: "FILE",
    help: "tokens and their roles, one a line; without it anybody may do anything",
  },
  {
    name: "host-name",
    placeholder: "NAME",
    help: "a further name that clients may ask for this host by; repeatable",
    many: true,
  },
  {
    name: "allow-destination",
    placeholder: "HOST[:PORT]",
    help: "a private address that http(s) backups may use though others reach this host; repeatable",
    many: true,
  },
  {
    name: "ca-file",
    placeholder: "FILE",
    help: "authorities to trust on outgoing https beside the usual ones, in PEM",
  },
  {
    name: "client-cert",
    placeholder: "FILE",
    help: "certificate of this host for outgoing https, in PEM; needs --client-key",
  },
  { name: "client-key", placeholder: "FILE", help: "its private key, in PEM" },
  {
    name: "transfer-space",
    placeholder: "SIZE",
    help: "what streamed archives may take in the data directory together (default 64GiB)",
  },
  {
    name: "transfer-count",
    placeholder: "N",
    help: "how many streamed archives are kept at a time (default 32)",
  },
  {
    name: "transfer-lease",
    placeholder: "DURATION",
    help: "how long a streamed archive stays that nobody touches (default 1h)",
  },
  {
    name: "cors-origin",
    placeholder: "ORIGIN",
    help: "whose pages may ask this host from a browser, or * with tokens; repeatable (default: nobody's)",
    many: true,
  },
  {
    name: "tls-cert",
    placeholder: "FILE",
    help: "certificate in PEM, with those between it and a root: TLS on both ports",
  },
  {
    name: "tls-key",
    placeholder: "FILE",
    help: "the certificate's private key in PEM, not encrypted",
  },
  {
    name: "tls-client-ca",
    placeholder: "FILE",
    help: "clients must show a certificate that one of these signed",
  },
  {
    name: "log-format",
    placeholder: "FORMAT",
    help: "json, pretty, or auto: pretty on a terminal (default auto)",
  },
  {
    name: "log-level",
    placeholder: "LEVEL",
    help: "trace, debug, info, warn, error, fatal or silent (default info)",
  },
];
