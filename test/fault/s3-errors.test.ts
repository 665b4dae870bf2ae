import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { generateIdentity } from "../../src/encryption/identities.js";
import { HostError } from "../../src/errors.js";
import { S3Scheme } from "../../src/destination/s3/scheme.js";
import { systemPlatform } from "../../src/io/platform.js";
import { authority } from "../support/certificates.js";
import { withEnvironment } from "../support/environment.js";
import { hostFixture } from "../support/host-fixture.js";
import { namesBelow, s3Fixture, shortTransfer, type S3Fixture } from "../support/s3-fixture.js";
import { s3Proxy, type S3Answer, type S3Proxy } from "../support/s3-proxy.js";
import { haveVersitygw, strictStore, type S3Store } from "../support/s3-store.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools, run } from "../support/tools.js";

const describeStore = haveVersitygw ? describe : describe.skip;
let store: S3Store;
let proxy: S3Proxy;
let fixture: S3Fixture;
let count = 0;
let uri: string;
const environment = { ...process.env };

beforeAll(async () => {
  if (!haveVersitygw) return;
  store = await strictStore();
  proxy = await s3Proxy(store);
});

beforeEach(async () => {
  if (!haveVersitygw) return;
  proxy.reset();
  uri = `${proxy.uri}/e${(count += 1)}`;
  fixture = await s3Fixture();
  await fixture.put("a", { first: 1 });
});

afterEach(() => {
  for (const name of Object.keys(process.env)) {
    if (!name.startsWith("AWS_")) continue;
    if (environment[name] === undefined && !/KEY|METADATA/.test(name)) delete process.env[name];
  }
});

async function failureOf(work: Promise<unknown>): Promise<HostError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HostError);
  const { message } = error as HostError;
  expect(message).not.toMatch(/SECRET (text|wrong)|<SECRET>|holdfast-test-secret/);
  return error as HostError;
}

describeStore("names the cause of a refusal and what to do", () => {
  const refusals: [string, S3Answer, string, RegExp][] = [
    [
      "NoSuchBucket",
      { status: 404, code: "NoSuchBucket" },
      "DESTINATION_MISSING",
      /the bucket backups does not exist\. Check its name, or create it\.$/,
    ],
    [
      "AccessDenied",
      { status: 403, code: "AccessDenied" },
      "DESTINATION_REFUSED",
      /access denied\. Allow the action/,
    ],
    [
      "XAdminUserNotFound",
      { status: 404, code: "XAdminUserNotFound" },
      "DESTINATION_REFUSED",
      /the store does not know the access key/,
    ],
    [
      "InvalidAccessKeyId",
      { status: 403, code: "InvalidAccessKeyId" },
      "DESTINATION_REFUSED",
      /does not know the access key\. Check the credentials/,
    ],
    [
      "SignatureDoesNotMatch",
      { status: 403, code: "SignatureDoesNotMatch" },
      "DESTINATION_REFUSED",
      /the secret key is wrong\. Check the credentials/,
    ],
    [
      "ExpiredToken",
      { status: 400, code: "ExpiredToken" },
      "DESTINATION_REFUSED",
      /the credentials have expired\. Renew them\.$/,
    ],
    [
      "another region",
      { status: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "eu-west-1" } },
      "DESTINATION_REFUSED",
      /is in the region eu-west-1\. Start the host with --s3-region eu-west-1\.$/,
    ],
    [
      "another region without its name",
      { status: 301, code: "PermanentRedirect", headers: { "x-amz-bucket-region": "<SECRET>" } },
      "DESTINATION_REFUSED",
      /is in another region or at another endpoint\. Set --s3-region/,
    ],
    [
      "a clock that stays wrong",
      { status: 403, code: "RequestTimeTooSkewed" },
      "DESTINATION_REFUSED",
      /the clock of this machine differs too much .* Set the clock\.$/,
    ],
    [
      "InvalidObjectState",
      { status: 403, code: "InvalidObjectState" },
      "DESTINATION_REFUSED",
      /archive storage class\. Restore it/,
    ],
  ];
  test.each(refusals)("%s", async (_what, answer, reason, message) => {
    await fixture.backupTo(uri);
    proxy.reset();
    proxy.fault = () => answer;
    const { management } = fixture.host;
    for (const work of [
      () => fixture.backupTo(uri),
      () => fixture.restoreFrom(uri),
      () => management.listBackups(uri),
      () => management.pruneBackups(uri, ["manifest-none"]),
    ]) {
      const error = await failureOf(work());
      expect(error).toMatchObject({ reason });
      expect(error.message).toMatch(message);
      expect(error.message).toMatch(/^Cannot (read|write|list) s3\+http:\/\/127/);
    }
    // Nothing is retried that stays refused.
    expect(proxy.requests.length).toBeLessThan(20);
  });

  test.each([
    ["507", { status: 507, code: "InsufficientStorage" }],
    ["QuotaExceeded", { status: 403, code: "QuotaExceeded" }],
    ["XMinioStorageFull", { status: 507, code: "XMinioStorageFull" }],
  ] as [string, S3Answer][])("a full store: %s", async (_what, answer) => {
    proxy.fault = ({ kind }) => (kind === "PUT segment" ? answer : undefined);
    const error = await failureOf(fixture.backupTo(uri));
    expect(error).toMatchObject({ reason: "DESTINATION_FULL" });
    expect(error.message).toMatch(/^Cannot write .*\/base-.*: the store is full/);
    proxy.fault = undefined;
    expect(await namesBelow(store, `e${count}/`)).toEqual([]);
  });

  test("a wrong secret key, also of requests whose response has no body", async () => {
    await fixture.backupTo(uri);
    await withEnvironment({ AWS_SECRET_ACCESS_KEY: "SECRET wrong" }, async () => {
      const other = await s3Fixture();
      for (const work of [() => other.restoreFrom(uri), () => other.backupTo(uri)]) {
        const error = await failureOf(work());
        expect(error.reason).toBe("DESTINATION_REFUSED");
        expect(error.message).toMatch(/the secret key is wrong/);
      }
    });
  });

  test("no credentials", async () => {
    const directory = temporaryDirectory();
    const none = {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_SHARED_CREDENTIALS_FILE: `${directory}/none`,
      AWS_CONFIG_FILE: `${directory}/none`,
    };
    await withEnvironment(none, async () => {
      const other = await s3Fixture();
      const error = await failureOf(other.backupTo(uri));
      expect(error.reason).toBe("DESTINATION_REFUSED");
      expect(error.message).toMatch(/^Cannot write .*: there are no credentials for S3\. Set AWS_/);
      expect(proxy.requests).toEqual([]);
    });
  });

  test("a missing bucket", async () => {
    const missing = uri.replace("/backups/", "/missing/");
    for (const work of [() => fixture.backupTo(missing), () => fixture.restoreFrom(missing)]) {
      const error = await failureOf(work());
      expect(error.reason).toBe("DESTINATION_MISSING");
      expect(error.message).toMatch(
        /the bucket missing does not exist\. Check its name, or create it\./,
      );
    }
  });
});

test("a host with a malformed destination of automatic backups does not start", async () => {
  const error = await failureOf(hostFixture({ autoBackupDestination: "s3:backups/automatic" }));
  expect(error.reason).toBe("DESTINATION_INVALID");
});

describeStore("an endpoint of the environment", () => {
  const scopeOf = () => /Credential=([^,]+)/.exec(proxy.requests[0]!.headers.authorization!)![1];
  const backupTo = async (variables: Record<string, string | undefined>) =>
    withEnvironment(
      {
        AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${proxy.port}`,
        AWS_REGION: undefined,
        ...variables,
      },
      async () => {
        const other = await s3Fixture();
        await other.backupTo(uri.replace(/^.*:\d+/, "s3:/"));
      },
    );

  test("has the bucket in the path and the usual region", async () => {
    await backupTo({ AWS_CONFIG_FILE: `${temporaryDirectory()}/none` });
    expect(scopeOf()).toContain("/us-east-1/s3/");
  });

  test("has the region of the profile", async () => {
    const config = `${temporaryDirectory()}/config`;
    writeFileSync(config, "[default]\nregion = eu-west-3\n");
    // The store serves another region.
    await failureOf(backupTo({ AWS_CONFIG_FILE: config }));
    expect(scopeOf()).toContain("/eu-west-3/s3/");
  });
});

test.each(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])(
  "an endpoint without a scheme in %s is reported at once",
  async (name) => {
    await withEnvironment(
      { AWS_ENDPOINT_URL_S3: undefined, [name]: "127.0.0.1:9000" },
      async () => {
        const error = await failureOf((await s3Fixture()).backupTo("s3://bucket/p"));
        expect(error).toMatchObject({
          reason: "CONFIGURATION_INVALID",
          message: expect.stringContaining(name) as string,
        });
      },
    );
  },
);

test("an archive without .zip in its name, which a listing would not find, is refused", async () => {
  const error = await failureOf(
    (await s3Fixture()).backupTo("s3://bucket/p/archive", { container: "ZIP" }),
  );
  expect(error).toMatchObject({
    reason: "DESTINATION_INVALID",
    message: expect.stringContaining("use s3://bucket/p/archive/NAME.zip") as string,
  });
});

describeStore("a destination with another spelling", () => {
  test("is the same for the record of what was encrypted", async () => {
    const { recipient } = await generateIdentity({ createdMs: 0 });
    const endpoint = `http://127.0.0.1:${store.port}`;
    const spelled = `s3://${store.bucket}/spelled`;
    const host = await s3Fixture({}, { s3: { endpoint } });
    const encryption = { encryptTo: { recipients: [recipient] } };
    await host.backupTo(spelled, { encryption });
    for (const name of await namesBelow(store, "spelled/"))
      await store.client.send(
        new DeleteObjectCommand({ Bucket: store.bucket, Key: `spelled/${name}` }),
      );
    for (const other of [spelled, `${spelled}/`, `s3+${endpoint}/${store.bucket}/spelled`])
      expect(await failureOf(host.backupTo(other))).toMatchObject({
        reason: "ENCRYPTION_REQUIRED",
      });
  });
});

describeStore("a clock that is wrong", () => {
  test.each(["PUT check", "HEAD other", "LIST"])(
    "is corrected after the response to %s",
    async (kind) => {
      await fixture.backupTo(uri);
      const other = await s3Fixture();
      proxy.reset();
      const storeTime = new Date(Date.now() + 600_000).toUTCString();
      proxy.fault = (request) =>
        request.kind === kind && request.nth === 1
          ? { status: 403, code: "RequestTimeTooSkewed", headers: { date: storeTime } }
          : undefined;
      if (kind === "PUT check") await other.backupTo(uri);
      else await other.restoreFrom(uri);
      expect(proxy.faults).toBe(1);
      // The real time of the store corrects the clock back later.
      const repeated = proxy.requests.filter((request) => request.kind === kind)[1];
      const signed = repeated!.headers["x-amz-date"] as string;
      const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(signed)!;
      const ahead = Date.UTC(+y!, +mo! - 1, +d!, +h!, +mi!, +s!) - Date.now();
      expect(ahead).toBeGreaterThan(300_000);
    },
  );
});

describeStore("connects only where it may", () => {
  let other: Server;
  let connections = 0;
  beforeAll(async () => {
    other = createServer((_request, response) => void response.end());
    other.on("connection", () => (connections += 1));
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
  });
  afterAll(() => void other.close());

  test.each([301, 302, 307, 308])("a redirect with %i is not followed", async (status) => {
    const { port } = other.address() as AddressInfo;
    const location = `http://127.0.0.1:${port}/elsewhere`;
    proxy.fault = () => ({ status, code: "TemporaryRedirect", headers: { location } });
    for (const work of [() => fixture.backupTo(uri), () => fixture.restoreFrom(uri)])
      expect(await failureOf(work())).toMatchObject({ reason: "DESTINATION_REFUSED" });
    expect(connections).toBe(0);
  });

  test.each([
    ["a private address", "s3+http://127.0.0.1:PORT/bucket/p", {}],
    ["a name of a private address", "s3+http://localhost:PORT/bucket/p", {}],
    ["a link-local address", "s3+http://169.254.169.254/bucket/p", {}],
    ["a private endpoint of the environment", "s3://bucket/p", { url: "http://127.0.0.1:PORT" }],
    ["a name in the environment", "s3://bucket/p", { url: "http://localhost:PORT" }],
    [
      "a link-local endpoint of the environment",
      "s3://bucket/p",
      { url: "http://169.254.169.254" },
    ],
  ])("refuses %s", async (_what, text, { url }: { url?: string }) => {
    const port = String((other.address() as AddressInfo).port);
    const variables = {
      AWS_REGION: "us-east-1",
      ...(url !== undefined && { AWS_ENDPOINT_URL_S3: url.replace("PORT", port) }),
    };
    await withEnvironment(variables, async () => {
      const scheme = new S3Scheme({
        platform: { ...systemPlatform, transfer: shortTransfer },
        policy: { allowPrivate: false, allowed: [] },
        tls: {},
        pathStyle: true,
        temporaryDirectory: temporaryDirectory(),
      });
      const work = async () => {
        const opened = await scheme.open({
          uri: text.replace("PORT", port),
          purpose: "write objects",
        });
        await opened.destination.probe?.(new AbortController().signal);
      };
      expect(await failureOf(work())).toMatchObject({ reason: "ADDRESS_NOT_ALLOWED" });
      await scheme.close();
    });
    expect(connections).toBe(0);
  });

  test("a host never connects to a link-local endpoint of its environment", async () => {
    const variables = { AWS_REGION: "us-east-1", AWS_ENDPOINT_URL_S3: "http://169.254.169.254" };
    await withEnvironment(variables, async () => {
      const host = await s3Fixture();
      for (const work of [
        () => host.backupTo("s3://bucket/p"),
        () => host.restoreFrom("s3://bucket/p"),
      ])
        expect(await failureOf(work())).toMatchObject({ reason: "ADDRESS_NOT_ALLOWED" });
    });
  });
});

(haveVersitygw && haveTools("tests of TLS", "openssl") ? describe : describe.skip)("https", () => {
  test("trusts a private CA that is configured, and no other", async () => {
    const ca = authority();
    const { certificateFile, keyFile } = ca.issue("store", "IP:127.0.0.1");
    const secure = await strictStore({ tls: { certificateFile, keyFile, ca: ca.pem } });
    const error = await failureOf(fixture.backupTo(`${secure.uri}/p`));
    // The test runner has its own class Error, so that the client does not pass on the code of this one.
    expect(error.reason).toMatch(/^DESTINATION_(UNREACHABLE|REFUSED)$/);
    const trusting = await s3Fixture({}, { clientTls: { ca: ca.pem } });
    await trusting.put("a", { first: 1 });
    await trusting.backupTo(`${secure.uri}/p`);
    await trusting.put("a", { second: 2 });
    await trusting.restoreFrom(`${secure.uri}/p`);
    expect(await trusting.contents()).toEqual({ a: '{"first":1}' });
  });

  test("a command without a host trusts --ca-file, and takes the settings of the environment", async () => {
    const ca = authority();
    const { certificateFile, keyFile } = ca.issue("store", "IP:127.0.0.1");
    const secure = await strictStore({ tls: { certificateFile, keyFile, ca: ca.pem } });
    const trusting = await s3Fixture({}, { clientTls: { ca: ca.pem } });
    await trusting.put("a", { first: 1 });
    await trusting.backupTo(`${secure.uri}/p`);
    const caFile = join(temporaryDirectory(), "ca.pem");
    writeFileSync(caFile, ca.pem);
    const env = {
      ...process.env,
      XDG_STATE_HOME: temporaryDirectory(),
      HOLDFAST_S3_ENDPOINT: `https://127.0.0.1:${secure.port}`,
    };
    const holdfast = (...args: string[]) =>
      run(process.execPath, ["dist/src/cli/main.js", ...args], { env });
    const uri = `s3://${secure.bucket}/p`;
    for (const command of ["verify", "list", "inspect"])
      expect(await holdfast(command, uri, "--ca-file", caFile)).toMatchObject({ code: 0 });
    const refused = await holdfast("verify", uri);
    expect(refused.code).toBe(78);
    expect(refused.stderr).toContain("use --ca-file");
  });
});
