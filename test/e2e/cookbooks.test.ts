import { writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { runCookbook, type Name } from "../support/cookbook.js";
import { httpStore } from "../support/http-store.js";
import { programDirectory } from "../support/program-directory.js";
import { serve, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";

/** Runs the commands of the cookbooks, with other ports and directories, and compares their output. */
process.env["PATH"] = [
  process.env["PATH"],
  resolve(".cache/go-bin"),
  programDirectory(temporaryDirectory()),
].join(delimiter);
const timeoutMs = 180_000;

const port = (address: string) => address.slice(address.lastIndexOf(":"));

/** A host, and the names by which the cookbooks refer to it and to the directory. */
async function start(
  root: string,
  ...flags: string[]
): Promise<{ host: ServedHost; names: Name[] }> {
  const host = await serve(["--data-dir", join(root, "data"), ...flags]);
  const names: Name[] = [
    ["/tmp/holdfast", join(root, "work")],
    ["localhost:8000", `localhost${port(host.url)}`],
    ["127.0.0.1:8000", `127.0.0.1${port(host.url)}`],
    ["localhost:8001", `localhost${port(host.grpc)}`],
    ["127.0.0.1:8001", `127.0.0.1${port(host.grpc)}`],
  ];
  return { host, names };
}

async function withTokens(file: string): Promise<void> {
  const root = temporaryDirectory();
  writeFileSync(join(root, "tokens"), "reading-4f1c read\nnightly-9b2e read,backup\n");
  const { names } = await start(root, "--token-file", join(root, "tokens"));
  await runCookbook(file, "tokens", names);
}

const forCurl = haveTools("docs/curl.md", "sh", "curl", "jq", "sha256sum", "base64", "od");

(forCurl ? describe : describe.skip)("docs/curl.md", () => {
  test(
    "against a host",
    async () => {
      const { host, names } = await start(temporaryDirectory());
      await runCookbook("docs/curl.md", "host", names);
      if (haveTools("a part of docs/curl.md", "wget"))
        await runCookbook("docs/curl.md", "wget", names);
      expect(await host.stop()).toBe(0);
    },
    timeoutMs,
  );

  test(
    "with an HTTP store",
    async () => {
      const { names } = await start(temporaryDirectory());
      const store = await httpStore();
      await runCookbook("docs/curl.md", "store", [
        ...names,
        ["http://store.example:8080", store.origin],
      ]);
    },
    timeoutMs,
  );

  test("with tokens", () => withTokens("docs/curl.md"), timeoutMs);
});

(haveTools("docs/grpcurl.md", "sh", "grpcurl", "jq", "base64", "sha256sum")
  ? describe
  : describe.skip)("docs/grpcurl.md", () => {
  test(
    "against a host",
    async () => {
      const { names } = await start(temporaryDirectory());
      await runCookbook("docs/grpcurl.md", "host", names);
    },
    timeoutMs,
  );

  test("with tokens", () => withTokens("docs/grpcurl.md"), timeoutMs);
});
