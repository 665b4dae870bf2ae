import { authority } from "../support/certificates.js";
import { httpStore } from "../support/http-store.js";
import { ask, managementRequest, serve } from "../support/served-host.js";
import { haveTools } from "../support/tools.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { transferFixture } from "../support/transfer-fixture.js";

const have = haveTools("https with a private authority", "openssl");
const orSkip = have ? test : test.skip;

orSkip(
  "a private authority and a client certificate, from the command line to the store and back",
  async () => {
    const ca = authority();
    const server = ca.issue("server", "IP:127.0.0.1");
    const client = ca.issue("client", "DNS:client");
    const store = await httpStore({
      tls: {
        cert: server.certificate,
        key: server.key,
        ca: ca.pem,
        requestCert: true,
        rejectUnauthorized: true,
      },
    });
    const host = await serve([
      "--data-dir",
      temporaryDirectory(),
      "--ca-file",
      ca.file,
      "--client-cert",
      client.certificateFile,
      "--client-key",
      client.keyFile,
    ]);
    await ask(`${host.url}/core/examples`, "POST", { name: "a", documentSelfLink: "a" });
    const destination = `${store.origin}/b.zip`;
    const manage = (kind: "Backup" | "Restore") =>
      ask(
        `${host.url}/core/management`,
        "PATCH",
        managementRequest(kind, { destination, bearer: "hunter2" }),
      );
    expect(await manage("Backup")).toMatchObject({ status: 200, body: { backupType: "STREAM" } });
    await ask(`${host.url}/core/examples/a`, "DELETE");
    expect(await manage("Restore")).toMatchObject({ status: 200 });
    expect((await ask(`${host.url}/core/examples/a`)).body).toMatchObject({ name: "a" });
    expect(host.log()).not.toContain("hunter2");
  },
);

orSkip.each<[string, (ca: ReturnType<typeof authority>) => object, object | undefined, RegExp]>([
  [
    "an untrusted authority",
    (ca) => ca.issue("server", "IP:127.0.0.1"),
    {},
    /authority is not trusted.*--ca-file/,
  ],
  [
    "a certificate for another name",
    (ca) => ca.issue("server", "DNS:elsewhere"),
    undefined,
    /for another name/,
  ],
  [
    "an expired certificate",
    (ca) => ca.issue("server", "IP:127.0.0.1", -1),
    undefined,
    /has expired|not trusted/,
  ],
  [
    "a missing client certificate",
    (ca) => ({
      ...ca.issue("server", "IP:127.0.0.1"),
      requestCert: true,
      rejectUnauthorized: true,
    }),
    undefined,
    /--client-cert|closed the connection/,
  ],
])("refuses %s with the reason", async (_what, serverTls, clientTls, message) => {
  const ca = authority();
  const { certificate: cert, ...tls } = serverTls(ca) as { certificate: string };
  const store = await httpStore({ tls: { ...tls, cert, ca: ca.pem } });
  const fixture = await transferFixture(undefined, { clientTls: clientTls ?? { ca: ca.pem } });
  await expect(fixture.backupTo(`${store.origin}/b.zip`)).rejects.toMatchObject({
    reason: expect.stringMatching(/DESTINATION_(REFUSED|UNREACHABLE)/) as string,
    message: expect.stringMatching(message) as string,
  });
  expect(store.requests).toEqual([]);
  expect(fixture.leftovers()).toEqual([]);
});

test("distinguishes a server without TLS from a server that is down", async () => {
  const store = await httpStore();
  const fixture = await transferFixture();
  await expect(fixture.restoreFrom(`https://127.0.0.1:${store.port}/b.zip`)).rejects.toMatchObject({
    reason: "DESTINATION_REFUSED",
    message: expect.stringContaining("does not use TLS") as string,
  });
});

orSkip("certificates that cannot be used are refused at the start", async () => {
  const ca = authority();
  const one = ca.issue("one", "DNS:one");
  const other = ca.issue("other", "DNS:other");
  for (const clientTls of [
    { ca: "nonsense" },
    { certificate: one.certificate },
    { key: one.key },
    { certificate: one.certificate, key: other.key },
    { ca: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n" },
  ]) {
    await expect(transferFixture(undefined, { clientTls })).rejects.toMatchObject({
      reason: "CONFIGURATION_INVALID",
    });
  }
});
