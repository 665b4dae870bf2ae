import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { httpStore } from "../../../test/support/http-store.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { systemPlatform } from "../../io/platform.js";
import { parseHttpUri } from "./uri.js";
import { openHttpFileClient } from "./client.js";
import { upload } from "./upload.js";

async function send(sendsProcessing: boolean): Promise<void> {
  const store = await httpStore();
  // The server processes the last range for longer than the idle timeout.
  store.fault = ({ headers }, incoming, response) => {
    if (
      headers["content-length"] !== "10" ||
      headers["content-range"] !== undefined ||
      headers.prefer !== "processing"
    )
      return false;
    const timer = sendsProcessing ? setInterval(() => response.writeProcessing(), 50) : undefined;
    setTimeout(() => {
      clearInterval(timer);
      response.end();
    }, 1000);
    incoming.resume();
    return true;
  };
  const path = join(temporaryDirectory(), "file");
  writeFileSync(path, randomBytes(10));
  const client = openHttpFileClient(parseHttpUri(`${store.origin}/x`), {
    role: "The store",
    policy: { allowPrivate: true, allowed: [] },
    tls: {},
  });
  const platform = {
    ...systemPlatform,
    transfer: { retryTimeoutMs: 600, idleTimeoutMs: 300, backOffMs: 10 },
  };
  try {
    await upload(
      platform,
      client,
      { body: { path }, sizeBytes: 10, sha256: "0".repeat(64) },
      new AbortController().signal,
      () => {},
    );
  } finally {
    client.close();
  }
}

test("waits for a slow server that sends 102 Processing", async () => {
  await send(true);
});

test("fails if a slow server sends nothing", async () => {
  await expect(send(false)).rejects.toMatchObject({ reason: "DESTINATION_UNREACHABLE" });
});
