import { writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import {
  GetHostRequest,
  ManagementServiceClient,
  type Host,
} from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
import { HostError } from "../../src/errors.js";
import { checkTls } from "../../src/security/tls.js";
import { authority, type Issued } from "../support/certificates.js";
import { eventually } from "../support/eventually.js";
import { hostFixture } from "../support/host-fixture.js";
import { runToEnd, serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";

/** A client of both ports: the root that it trusts and the certificate that it presents. */
interface Client {
  trusts: ReturnType<typeof authority>;
  shows?: Issued;
}

/** The status of GET /v1/host, or the error. */
function overHttps(
  port: number,
  { trusts, shows }: Client,
  headers: Record<string, string> = {},
): Promise<number | string> {
  return new Promise((resolve) => {
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port,
        path: "/v1/host",
        agent: false,
        servername: "localhost",
        ca: trusts.pem,
        headers,
        ...(shows && { cert: shows.certificate, key: shows.key }),
      },
      (response) => {
        response.resume().on("end", () => resolve(response.statusCode ?? 0));
      },
    );
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.end();
  });
}

async function overGrpc(
  port: number,
  { trusts, shows }: Client,
  token?: string,
): Promise<number | string> {
  const pair = shows ? [Buffer.from(shows.key), Buffer.from(shows.certificate)] : [null, null];
  const client = new ManagementServiceClient(
    `127.0.0.1:${port}`,
    grpc.credentials.createSsl(
      Buffer.from(trusts.pem),
      ...(pair as [Buffer | null, Buffer | null]),
    ),
  );
  const metadata = new grpc.Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  try {
    return await new Promise((resolve) =>
      client.getHost(
        GetHostRequest.fromPartial({}),
        metadata,
        { deadline: Date.now() + 5000 },
        (error: grpc.ServiceError | null, _host: Host) => resolve(error ? error.code : 0),
      ),
    );
  } finally {
    client.close();
  }
}

(haveTools("TLS", "openssl") ? describe : describe.skip)("TLS", () => {
  const directory = temporaryDirectory();
  let hostCa: ReturnType<typeof authority>;
  let otherCa: ReturnType<typeof authority>;
  let server: Issued;
  let client: Issued;
  let stranger: Issued;
  beforeAll(() => {
    [hostCa, otherCa] = [authority(), authority()];
    const names = "DNS:localhost,IP:127.0.0.1";
    [server, client, stranger] = [
      hostCa.issue("server", names),
      hostCa.issue("client", names),
      otherCa.issue("stranger", names),
    ];
  });
  const identity = () => ({ certificate: server.certificate, key: server.key });

  test("on both ports: accepts clients that trust the root of the host, and neither other clients nor plain text", async () => {
    const { host } = await hostFixture({ tls: identity() });
    expect(await overHttps(host.httpAddress.port, { trusts: hostCa })).toBe(200);
    expect(await overGrpc(host.grpcAddress.port, { trusts: hostCa })).toBe(0);
    expect(await overHttps(host.httpAddress.port, { trusts: otherCa })).toMatch(
      /CERT|VERIFY|ISSUER/,
    );
    expect(await overGrpc(host.grpcAddress.port, { trusts: otherCa })).toBe(
      grpc.status.UNAVAILABLE,
    );
    await expect(fetch(`http://127.0.0.1:${host.httpAddress.port}/v1/host`)).rejects.toThrow();
    expect(
      await overHttps(host.httpAddress.port, { trusts: hostCa }, { host: "evil.example" }),
    ).toBe(403);
  });

  test("with a client CA requires one of its certificates, and rejects none and those of another CA", async () => {
    const { host } = await hostFixture({ tls: { ...identity(), clientCa: hostCa.pem } });
    const [http, rpc] = [host.httpAddress.port, host.grpcAddress.port];
    expect(await overHttps(http, { trusts: hostCa, shows: client })).toBe(200);
    expect(await overGrpc(rpc, { trusts: hostCa, shows: client })).toBe(0);
    for (const shows of [undefined, stranger]) {
      const one = { trusts: hostCa, ...(shows && { shows }) };
      expect(await overHttps(http, one)).toEqual(expect.any(String));
      expect(await overGrpc(rpc, one)).toBe(grpc.status.UNAVAILABLE);
    }
    expect(await overHttps(http, { trusts: hostCa, shows: client })).toBe(200);
  });

  test("with tokens, a certificate alone has no role", async () => {
    const { host } = await hostFixture({
      tls: { ...identity(), clientCa: hostCa.pem },
      tokens: "reader read",
    });
    const one = { trusts: hostCa, shows: client };
    expect(await overHttps(host.httpAddress.port, one)).toBe(401);
    expect(await overHttps(host.httpAddress.port, one, { authorization: "Bearer reader" })).toBe(
      200,
    );
    expect(await overGrpc(host.grpcAddress.port, one)).toBe(grpc.status.UNAUTHENTICATED);
    expect(await overGrpc(host.grpcAddress.port, one, "reader")).toBe(0);
  });

  test("client certificates are sufficient authentication for addresses other than loopback", async () => {
    const roots = { httpHost: "0.0.0.0", grpcHost: "0.0.0.0", backupRoots: [directory] };
    await expect(hostFixture({ ...roots, tls: identity() })).rejects.toThrow(
      /--token-file.*--tls-client-ca/,
    );
    const { host } = await hostFixture({ ...roots, tls: { ...identity(), clientCa: hostCa.pem } });
    expect(await overHttps(host.httpAddress.port, { trusts: hostCa, shows: client })).toBe(200);
  });

  test("silent connections and incomplete handshakes do not delay a close", async () => {
    const fixture = await hostFixture({ tls: identity() });
    const { port } = fixture.host.httpAddress;
    const silent = connectTcp(port, "127.0.0.1");
    const begun = connectTcp(port, "127.0.0.1", () =>
      begun.write(Buffer.from([0x16, 3, 1, 2, 0, 1])),
    );
    const idle = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: hostCa.pem });
    for (const socket of [silent, begun, idle]) socket.on("error", () => {});
    await once(idle, "secureConnect");
    // Time for the silent connections to arrive.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const start = Date.now();
    await fixture.stop();
    expect(Date.now() - start).toBeLessThan(20_000);
    for (const socket of [silent, begun, idle]) socket.destroy();
  });

  test("rejects unusable settings before the start", () => {
    const problem = (tls: Parameters<typeof checkTls>[0]) => {
      try {
        checkTls(tls);
      } catch (error) {
        return error instanceof HostError ? `${error.reason}: ${error.message}` : String(error);
      }
      return "fine";
    };
    expect(problem(identity())).toBe("fine");
    expect(problem({ ...identity(), key: client.key })).toMatch(
      /CONFIGURATION_INVALID: .*does not match the certificate/,
    );
    expect(problem({ ...identity(), key: "nonsense" })).toMatch(
      /CONFIGURATION_INVALID: The TLS key/,
    );
    expect(problem({ ...identity(), certificate: server.key })).toMatch(
      /CONFIGURATION_INVALID: The TLS certificate/,
    );
    expect(problem({ ...identity(), clientCa: "" })).toMatch(
      /CONFIGURATION_INVALID: The client CA/,
    );
  });

  test("with flags, the greeting and GET /core/management use https; missing files and half a pair prevent the start", async () => {
    const files = ["--tls-cert", server.certificateFile, "--tls-key", server.keyFile];
    const host = await serve(["--data-dir", join(temporaryDirectory(), "data"), ...files]);
    expect(host.url).toMatch(/^https:\/\/127/);
    const port = Number(new URL(host.url).port);
    const state = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest(
        `${host.url}/core/management`,
        { ca: hostCa.pem, agent: false },
        (response) => {
          let text = "";
          response
            .on("data", (chunk: Buffer) => (text += chunk.toString()))
            .on("end", () => resolve(text));
        },
      );
      request.on("error", reject).end();
    });
    expect(JSON.parse(state)).toMatchObject({ httpPort: -1, httpsPort: port });
    expect(await host.stop()).toBe(0);

    const missing = await runToEnd([
      "serve",
      "--data-dir",
      join(temporaryDirectory(), "data"),
      "--tls-cert",
      join(directory, "none.pem"),
      "--tls-key",
      server.keyFile,
    ]);
    expect(missing.code).toBe(78);
    expect(missing.log).toMatch(/Cannot read the TLS certificate .*none\.pem/);
    const half = await runToEnd([
      "serve",
      "--data-dir",
      join(temporaryDirectory(), "data"),
      "--tls-cert",
      server.certificateFile,
    ]);
    expect(half.code).toBe(78);
    expect(half.log).toContain("--tls-key");
    const nonsense = join(directory, "nonsense.pem");
    writeFileSync(nonsense, "nonsense");
    const wrong = await runToEnd([
      "serve",
      "--data-dir",
      join(temporaryDirectory(), "data"),
      ...files,
      "--tls-client-ca",
      nonsense,
    ]);
    expect(wrong.code).toBe(78);
    expect(wrong.log).toContain("client CA");
  });

  test("reloads tokens and certificates on SIGHUP without a restart, and keeps the old ones if the new ones are unusable", async () => {
    const own = temporaryDirectory();
    const [tokens, certificate, key] = ["tokens", "host.pem", "host.key"].map((name) =>
      join(own, name),
    ) as [string, string, string];
    const write = (token: string, { certificate: pem, key: secret }: Issued) =>
      [
        [tokens, `${token} read\n`],
        [certificate, pem],
        [key, secret],
      ].forEach(([path = "", text = ""]) => writeFileSync(path, text));
    write("old", server);
    const host = await serve([
      "--data-dir",
      join(own, "data"),
      "--token-file",
      tokens,
      "--tls-cert",
      certificate,
      "--tls-key",
      key,
    ]);
    const [http, rpc] = [Number(new URL(host.url).port), Number(host.grpc.split(":").at(-1))];
    const statuses = async (trusts: ReturnType<typeof authority>, token: string) => [
      await overHttps(http, { trusts }, { authorization: `Bearer ${token}` }),
      await overGrpc(rpc, { trusts }, token),
    ];
    expect(await statuses(hostCa, "old")).toEqual([200, 0]);
    expect(await statuses(hostCa, "new")).toEqual([401, grpc.status.UNAUTHENTICATED]);
    const reload = async (words: string) => {
      host.process.kill("SIGHUP");
      await eventually(() => host.log().includes(words), { state: () => host.log() });
    };
    writeFileSync(tokens, "broken everything\n");
    await reload("cannot reload");
    expect(await statuses(hostCa, "old")).toEqual([200, 0]);
    write("new", otherCa.issue("host", "DNS:localhost,IP:127.0.0.1"));
    await reload("certificates reloaded");
    expect(await statuses(otherCa, "new")).toEqual([200, 0]);
    expect(await statuses(otherCa, "old")).toEqual([401, grpc.status.UNAUTHENTICATED]);
    expect((await statuses(hostCa, "new"))[1]).toBe(grpc.status.UNAVAILABLE);
  });
});
