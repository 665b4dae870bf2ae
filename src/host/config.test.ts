import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseDuration, parseSize, readConfig, readLogConfig } from "./config.js";
import { HostError } from "../errors.js";
import { resolveOptions } from "./options.js";
import { settings } from "./settings.js";

const directory = mkdtempSync(join(tmpdir(), "holdfast-config-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (text: string) => {
  const path = join(directory, "config.yaml");
  writeFileSync(path, text);
  return path;
};
const problemOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    if (error instanceof HostError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return "fine";
};

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["90m", 5_400_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    [" 0s ", 0],
  ])("parses %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
  test.each(["", "24", "h", "1.5h", "-1h", "24 h", "1w", "1h30m"])("rejects %j", (text) => {
    expect(problemOf(() => parseDuration(text))).toMatch(
      /^CONFIGURATION_INVALID: Invalid duration .*such as 24h/,
    );
  });
});

describe("sizes", () => {
  test.each([
    ["0", 0],
    ["1000", 1000],
    ["500MiB", 524_288_000],
    ["64GiB", 2 ** 36],
    [" 1KiB ", 1024],
  ])("parses %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
  test.each(["", "GiB", "1.5GiB", "-1", "10GB", "999999999999TiB"])("rejects %j", (text) => {
    expect(problemOf(() => parseSize(text))).toMatch(
      /^CONFIGURATION_INVALID: Invalid size .*such as 64GiB/,
    );
  });
});

describe("precedence of settings", () => {
  test("omits unset options, so that the defaults of the host apply", () => {
    expect(readConfig({}, {})).toEqual({
      dataDirectory: resolve("data"),
      secretFiles: [],
      certificateFiles: [],
    });
  });

  test("flags override the environment, which overrides the file; lists are not merged", () => {
    const config = file(
      "id: file\nhttp-port: 1\nhistory: 1h\nhost-name: [a, b]\nbackup-root: /file\n",
    );
    const environment = {
      HOLDFAST_ID: "environment",
      HOLDFAST_HTTP_PORT: "2",
      HOLDFAST_HOST_NAME: "c, d",
      HOLDFAST_CONFIG: config,
    };
    expect(readConfig({ id: "flag", "grpc-port": undefined }, environment)).toMatchObject({
      id: "flag",
      httpPort: 2,
      historyMs: 3_600_000,
      hostNames: ["c", "d"],
      backupRoots: ["/file"],
    });
  });

  test("every setting can be set as a flag, a variable and a key, with the same result", () => {
    const tokens = join(directory, "tokens");
    writeFileSync(tokens, "t read\n");
    const values: Record<string, string> = {
      "data-dir": "/d",
      engine: "postgres",
      "postgres-url": "postgres://holdfast:secret@one,two/db",
      "postgres-schema": "shop",
      "postgres-ca-file": tokens,
      "postgres-cert-file": tokens,
      "postgres-key-file": tokens,
      "advertise-host": "one.example",
      "http-host": "::1",
      "http-port": "0",
      "grpc-host": "localhost",
      "grpc-port": "65535",
      id: "me",
      factory: "/f=k",
      "memory-index": "/m",
      "backup-root": "/b",
      "auto-backup-destination": "/a",
      "backup-max-age": "2h",
      "file-root": "/r",
      history: "1d",
      "retain-versions": "7",
      "token-file": tokens,
      "recipients-file": tokens,
      "identity-file": tokens,
      "policy-file": tokens,
      "trusted-signers": tokens,
      "host-name": "n",
      "allow-destination": "store:8080",
      "ca-file": tokens,
      "client-cert": tokens,
      "client-key": tokens,
      "s3-endpoint": "https://minio:9000",
      "s3-region": "eu-1",
      "s3-addressing": "virtual",
      "transfer-space": "5GiB",
      "transfer-count": "3",
      "transfer-lease": "10m",
      "opened-space": "2GiB",
      console: "off",
      "cors-origin": "https://c.example",
      "tls-cert": tokens,
      "tls-key": tokens,
      "tls-client-ca": tokens,
      "log-format": "pretty",
      "log-level": "debug",
    };
    expect(Object.keys(values).sort()).toEqual(settings.map(({ name }) => name).sort());
    const expected = {
      dataDirectory: "/d",
      postgres: {
        url: "postgres://holdfast:secret@one,two/db",
        schema: "shop",
        ca: "t read\n",
        certificate: "t read\n",
        key: "t read\n",
      },
      httpHost: "::1",
      httpPort: 0,
      grpcHost: "localhost",
      grpcPort: 65535,
      id: "me",
      factories: [{ path: "/f", kind: "k", indexLink: "/core/document-index" }],
      memoryIndexes: ["/m"],
      backupRoots: ["/b"],
      autoBackupDestination: "/a",
      backupMaxAgeMs: 7_200_000,
      fileRoots: ["/r"],
      historyMs: 86_400_000,
      retainedVersions: 7,
      secretFiles: Array.from({ length: 8 }, () => tokens),
      certificateFiles: [tokens, tokens],
      tokens: "t read\n",
      recipients: "t read\n",
      identities: "t read\n",
      policies: "t read\n",
      trustedSigners: "t read\n",
      hostNames: ["n"],
      advertisedHost: "one.example",
      allowDestinations: ["store:8080"],
      clientTls: { ca: "t read\n", certificate: "t read\n", key: "t read\n" },
      s3: { endpoint: "https://minio:9000", region: "eu-1", addressing: "virtual" },
      transfers: { maxBytes: 5 * 2 ** 30, maxCount: 3, leaseMs: 600_000 },
      openedBytes: 2 * 2 ** 30,
      console: false,
      corsOrigins: ["https://c.example"],
      tls: { certificate: "t read\n", key: "t read\n", clientCa: "t read\n" },
    };
    const many = new Set(settings.filter(({ many }) => many).map(({ name }) => name));
    const flags = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, many.has(name) ? [value] : value]),
    );
    const environment = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        `HOLDFAST_${name.toUpperCase().replaceAll("-", "_")}`,
        value,
      ]),
    );
    const config = file(
      Object.entries(values)
        .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
        .join(""),
    );
    expect(readConfig(flags, {})).toEqual(expected);
    expect(readConfig({}, environment)).toEqual(expected);
    expect(readConfig({ config }, {})).toEqual(expected);
    for (const [given, variables] of [
      [flags, {}],
      [{}, environment],
      [{ config }, {}],
    ] as const)
      expect(readLogConfig(given, variables)).toEqual({ format: "pretty", level: "debug" });
  });

  test("ignores empty variables, prefers --config to HOLDFAST_CONFIG and accepts an empty file", () => {
    expect(readConfig({}, { HOLDFAST_ID: "", HOLDFAST_CONFIG: "" })).toEqual({
      dataDirectory: resolve("data"),
      secretFiles: [],
      certificateFiles: [],
    });
    expect(readConfig({ config: file("# nothing\n") }, { HOLDFAST_CONFIG: "/nowhere" })).toEqual({
      dataDirectory: resolve("data"),
      secretFiles: [],
      certificateFiles: [],
    });
  });
});

describe("log configuration", () => {
  test("defaults to automatic format and level info", () => {
    expect(readLogConfig({}, {})).toEqual({ format: "auto", level: "info" });
  });
  test.each([
    [{ "log-format": "xml" }, /log-format must be one of auto, json, pretty, not "xml"/],
    [{ "log-level": "loud" }, /log-level must be one of trace,.* not "loud"/],
  ])("rejects %j", (flags, message) => {
    expect(problemOf(() => readLogConfig(flags, {}))).toMatch(message);
  });
});

describe("factories", () => {
  test.each([
    [
      "/core/books=com:example:Book",
      { path: "/core/books", kind: "com:example:Book", indexLink: "/core/document-index" },
    ],
    [
      "/core/books=com:example:Book@/core/scratch",
      { path: "/core/books", kind: "com:example:Book", indexLink: "/core/scratch" },
    ],
  ])("parses %s", (text, factory) => {
    expect(readConfig({ factory: [text] }, {}).factories).toEqual([factory]);
  });
  test.each(["core/books=k", "/core/books", "/core/books=", "=k", "/core/books=k@scratch"])(
    "rejects %s",
    (text) => {
      expect(problemOf(() => readConfig({ factory: [text] }, {}))).toMatch(
        /^CONFIGURATION_INVALID: .*must have the form \/path=kind/,
      );
    },
  );
});

describe("invalid configuration files", () => {
  test.each([
    ["htpp-port: 1", /Unknown key htpp-port in .*Valid keys: data-dir/],
    ["config: other.yaml", /Unknown key config/],
    ["- http-port", /must be a mapping/],
    ["just text", /must be a mapping/],
    ["http-port: [1, 2]", /http-port in .* accepts only one value/],
    ["id: true", /id in .* must be a string/],
    ["id: {a: 1}", /id in .* must be a string/],
    ["id:", /id in .* must be a string/],
    ["a: [", /Cannot read .* as YAML/],
    ["http-port: 1\nhttp-port: 2", /Cannot read .* as YAML.*unique/],
    ["http-port: 1.5", /http-port must be a whole number, not "1\.5"/],
    ["history: 24", /Invalid duration "24"/],
  ])("rejects %j", (text, message) => {
    const config = file(text);
    expect(problemOf(() => readConfig({ config }, {}))).toMatch(message);
    expect(problemOf(() => readConfig({ config }, {}))).toMatch(/^CONFIGURATION_INVALID/);
  });

  test("names a file that cannot be read", () => {
    expect(problemOf(() => readConfig({ config: "/nowhere.yaml" }, {}))).toMatch(
      /Cannot read the configuration file \/nowhere\.yaml/,
    );
    expect(problemOf(() => readConfig({ "token-file": "/nowhere" }, {}))).toMatch(
      /Cannot read the token file \/nowhere/,
    );
    expect(
      problemOf(() => readConfig({ "tls-cert": "/nowhere", "tls-key": "/nowhere" }, {})),
    ).toMatch(/Cannot read the TLS certificate \/nowhere/);
    expect(problemOf(() => readConfig({ "tls-client-ca": "/nowhere" }, {}))).toMatch(
      /--tls-cert FILE and --tls-key FILE/,
    );
  });
});

describe("options", () => {
  const check = (more: object) => problemOf(() => resolveOptions({ dataDirectory: "/d", ...more }));
  test("applies defaults", () => {
    expect(resolveOptions({ dataDirectory: "/d" })).toMatchObject({
      httpHost: "127.0.0.1",
      httpPort: 8000,
      grpcHost: "127.0.0.1",
      grpcPort: 8001,
      historyMs: 86_400_000,
      retainedVersions: 10_000,
      backupRoots: [],
    });
    expect(resolveOptions({ dataDirectory: "/d" }).factories.map(({ path }) => path)).toEqual([
      "/core/examples",
      "/core/in-memory-examples",
    ]);
  });
  test.each([
    [{ httpPort: -1 }, /HTTP port/],
    [{ grpcPort: 65536 }, /gRPC port/],
    [{ httpPort: 1.5 }, /HTTP port/],
    [{ httpPort: Number.NaN }, /HTTP port/],
    [{ retainedVersions: 0 }, /retained versions/],
    [{ historyMs: -1 }, /--history/],
    [{ historyMs: Number.NaN }, /--history/],
    [{ backupMaxAgeMs: 0 }, /at least 1 second/],
    [{ backupMaxAgeMs: Number.NaN }, /at least 1 second/],
    [{ id: "" }, /host ID/],
    [{ id: "a b" }, /host ID/],
    [{ id: "x".repeat(129) }, /host ID/],
    [{ memoryIndexes: ["/core/document-index"] }, /already used by another index/],
    [{ memoryIndexes: ["/m", "/m"] }, /already used by another index/],
    [{ memoryIndexes: ["m"] }, /Invalid in-memory index link/],
    [
      { factories: [{ path: "/core/management", kind: "k", indexLink: "/core/document-index" }] },
      /reserved by the host/,
    ],
    [
      { factories: [{ path: "/v1/x", kind: "k", indexLink: "/core/document-index" }] },
      /reserved by the host/,
    ],
    [
      { factories: [{ path: "/x/", kind: "k", indexLink: "/core/document-index" }] },
      /Invalid factory path/,
    ],
    [
      { factories: [{ path: "/x?y", kind: "k", indexLink: "/core/document-index" }] },
      /Invalid factory path/,
    ],
    [
      {
        factories: [{ path: "/core/document-index", kind: "k", indexLink: "/core/document-index" }],
      },
      /reserved by the host/,
    ],
    ...[
      "/core/management",
      "/core/query-tasks",
      "/local-files",
      "/local-files/x",
      "/metrics",
      "/healthz",
      "/v1",
      "/core/operation-index",
      "/core/document-index-backup",
      "/core/in-memory-document-index-backup",
    ].map((link): [object, RegExp] => [{ memoryIndexes: [link] }, /reserved by the host/]),
    [
      { memoryIndexes: ["/m"], factories: [{ path: "/m", kind: "k", indexLink: "/m" }] },
      /reserved by the host/,
    ],
    [{ dataDirectory: "" }, /data directory/],
  ])("rejects %j", (more, message) => {
    expect(check(more)).toMatch(message);
    expect(check(more)).toMatch(/^CONFIGURATION_INVALID/);
  });
  test("treats undefined options as unset", () => {
    expect(
      resolveOptions({ dataDirectory: "/d", httpPort: undefined, memoryIndexes: undefined }),
    ).toMatchObject({ httpPort: 8000, memoryIndexes: [] });
  });
});
