import { build } from "esbuild";
import { createServer, type Server } from "node:http";
import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { chromium, type Browser } from "playwright-core";
import { Code } from "@connectrpc/connect";
import { factoryPath, hostFixture } from "../support/host-fixture.js";
import type { PageResult } from "./browser-page.js";

/** The browser clients in a browser, on a page of another origin. */
const program = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const here = existsSync(program);
if (!here)
  console.warn(`SKIPPED: the browser tests need Chromium; ${program} is missing (CHROMIUM_PATH).`);

(here ? describe : describe.skip)("in Chromium", () => {
  let browser: Browser;
  let pages: Server;
  let origin: string;
  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: ["test/interop/browser-page.ts"],
      bundle: true,
      write: false,
      format: "iife",
      platform: "browser",
    });
    const script = outputFiles[0]?.text ?? "";
    pages = createServer((request, response) => {
      if (request.url === "/page.js")
        response.setHeader("content-type", "text/javascript").end(script);
      else
        response
          .setHeader("content-type", "text/html")
          .end('<!doctype html><script src="/page.js"></script>');
    });
    await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    browser = await chromium.launch({ executablePath: program, args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    pages?.closeAllConnections();
    await new Promise((resolve) => pages?.close(resolve));
  });

  async function call(protocol: string, corsOrigins: string[]): Promise<PageResult> {
    const { host } = await hostFixture({ tokens: "writer write,backup", corsOrigins });
    const page = await browser.newPage();
    try {
      await page.goto(origin);
      const given = JSON.stringify([
        `http://127.0.0.1:${host.httpAddress.port}`,
        protocol,
        "writer",
      ]);
      return await page.evaluate<PageResult>(`callHost(...${given})`);
    } finally {
      await page.close();
    }
  }

  test.each(["connect", "connect-binary", "grpc-web"])(
    "a page calls over %s: a unary call, a stream, and errors with details",
    async (protocol) => {
      const { text, ...rest } = await call(protocol, [origin]);
      expect(text).toContain('"n":9007199254740993');
      expect(rest).toEqual({
        found: true,
        version: "0",
        statuses: [1, -Code.Canceled],
        missing: {
          code: Code.NotFound,
          reason: "DOCUMENT_NOT_FOUND",
          metadata: { link: `${factoryPath}/none` },
        },
        unknown: { code: Code.Unauthenticated, reason: "TOKEN_UNKNOWN", metadata: {} },
      });
    },
  );

  test("a page of an unlisted origin receives no response", async () => {
    await expect(call("connect", [])).rejects.toThrow(/Failed to fetch/);
    await expect(call("grpc-web", ["https://console.example"])).rejects.toThrow(/Failed to fetch/);
  });
});
