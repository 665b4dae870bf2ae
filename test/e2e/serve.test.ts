import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import {
  BodyFormat,
  DocumentServiceClient,
} from "../../clients/typescript/src/gen/holdfast/document/v1/document.js";
import {
  BackupRequest,
  Container,
  ManagementServiceClient,
  RestoreRequest,
} from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
import { eventually } from "../support/eventually.js";
import {
  ask,
  managementRequest,
  runToEnd,
  serve,
  type ServedHost,
} from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const examples = (host: ServedHost) => `${host.url}/core/examples`;
const management = (host: ServedHost) => `${host.url}/core/management`;
const post = (host: ServedHost, link: string, more: object = {}) =>
  ask(examples(host), "POST", { name: link, documentSelfLink: link, ...more });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const has = (command: string) => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

describe("the greeting", () => {
  test("prints the addresses, the directories and an example command that works as printed", async () => {
    const root = temporaryDirectory();
    mkdirSync(join(root, "backups"));
    const host = await serve([
      "--data-dir",
      join(root, "data"),
      "--backup-root",
      join(root, "backups"),
    ]);
    expect(host.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/);
    expect(host.grpc).toMatch(/^127\.0\.0\.1:[1-9]\d+$/);
    expect(host.greeting).toContain(join(root, "data"));
    expect(host.greeting).toContain(join(root, "backups"));
    const line = /curl .*/.exec(host.greeting)?.[0] ?? "";
    expect(line).toContain(host.url);
    if (!has("curl")) {
      console.warn("SKIPPED: curl is not installed.");
      return;
    }
    const made = JSON.parse(
      execFileSync("sh", ["-c", `${line} --silent --show-error`], { encoding: "utf8" }),
    ) as object;
    expect(made).toMatchObject({ documentSelfLink: "/core/examples/first", documentVersion: 0 });
    expect((await ask(`${examples(host)}/first`)).body).toMatchObject({ name: "first" });
  });

  test("warns in the greeting if backups are not restricted to a backup root", async () => {
    const host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
    expect(host.greeting).toMatch(/backups +any directory.*--backup-root/);
  });

  test("defaults to ./data, and listens on the given ports", async () => {
    const cwd = temporaryDirectory();
    const first = await serve([], { cwd });
    expect(first.greeting).toContain(join(cwd, "data"));
    await first.stop();
    const port = new URL(first.url).port;
    const second = await serve(["--http-port", port], { cwd });
    expect(second.url).toBe(first.url);
  });
});

describe("configuration", () => {
  test("flags override the environment, which overrides the file", async () => {
    const root = temporaryDirectory();
    const config = join(root, "holdfast.yaml");
    writeFileSync(
      config,
      `id: from-file\ndata-dir: ${join(root, "file-data")}\nmemory-index: [/core/scratch]\nfactory:\n  - /core/notes=test:note@/core/scratch\n  - /core/books=test:book\n`,
    );
    const idOf = async (host: ServedHost) => (await ask(management(host))).body["id"];

    const file = await serve(["--config", config]);
    expect(await idOf(file)).toBe("from-file");
    expect(file.greeting).toContain(join(root, "file-data"));
    expect(
      (await ask(`${file.url}/core/books`, "POST", { documentSelfLink: "b", title: "t" })).body,
    ).toMatchObject({ documentKind: "test:book", documentOwner: "from-file" });
    await file.stop();

    const environment = await serve([], {
      env: { HOLDFAST_CONFIG: config, HOLDFAST_ID: "from-environment" },
    });
    expect(await idOf(environment)).toBe("from-environment");
    expect((await ask(`${environment.url}/core/books/b`)).status).toBe(200);
    await environment.stop();

    const flag = await serve(["--id", "from-flag", "--data-dir", join(root, "flag-data")], {
      env: { HOLDFAST_CONFIG: config, HOLDFAST_ID: "from-environment" },
    });
    expect(await idOf(flag)).toBe("from-flag");
    expect((await ask(`${flag.url}/core/books/b`)).status).toBe(404);
  });

  test("rejects a file with an unknown key and lists the valid keys", async () => {
    const root = temporaryDirectory();
    const config = join(root, "holdfast.yaml");
    writeFileSync(config, "http_port: 8000\n");
    const { code, output, log } = await runToEnd(["serve", "--config", config]);
    expect({ code, output }).toEqual({ code: 78, output: "" });
    expect(log).toMatch(
      /^holdfast: Unknown key http_port .*Valid keys: data-dir, engine, .*, http-host, http-port/,
    );
    expect(log).not.toMatch(/\n\s+at /);
  });

  test.each([
    [["--http-port", "80x"], /http-port must be a whole number/],
    [["--http-port", "70000"], /Invalid HTTP port 70000/],
    [["--history", "soon"], /Invalid duration "soon"/],
    [["--factory", "books=test:book"], /Invalid factory/],
    [["--factory", "/core/books=test:book@/core/nowhere"], /--memory-index \/core\/nowhere/],
    [["--factory", "/core/examples=test:book"], /is defined twice/],
    [["--token-file", "/does/not/exist"], /Cannot read the token file \/does\/not\/exist/],
    [["--backup-root", "/does/not/exist"], /backup root \/does\/not\/exist is not a directory/],
    [["--id", "two words"], /host ID/],
    [
      ["--config", "/does/not/exist.yaml"],
      /Cannot read the configuration file \/does\/not\/exist\.yaml/,
    ],
    [["--data-dir", "/does/not/exist"], /Cannot create the data directory \/does\/not\/exist/],
  ])("rejects %j with a one-line error", async (args, message) => {
    const { code, output, log } = await runToEnd(
      ["serve", "--http-port", "0", "--grpc-port", "0", ...args],
      { cwd: temporaryDirectory() },
    );
    expect({ code, output, lines: log.trim().split("\n").length }).toEqual({
      code: 78,
      output: "",
      lines: 1,
    });
    expect(log).toMatch(message);
  });

  test("rejects an unknown flag or command with a hint to --help", async () => {
    const flag = await runToEnd(["serve", "--http-prot", "1"]);
    expect(flag).toMatchObject({
      output: "",
      log: expect.stringMatching(/unknown option '--http-prot'[^]*--http-port/) as unknown,
    });
    expect(flag.code).not.toBe(0);
    expect((await runToEnd(["serf"])).log).toMatch(/unknown command 'serf'/);
    expect(await runToEnd(["--version"])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as unknown,
    });
    expect((await runToEnd(["serve", "--help"])).output).toMatch(
      /--data-dir <DIR>[^]*HOLDFAST_HTTP_PORT/,
    );
  });

  test("reports a port in use and releases the data directory", async () => {
    const root = temporaryDirectory();
    const first = await serve(["--data-dir", join(root, "one")]);
    for (const flag of ["--http-port", "--grpc-port"]) {
      const { code, log } = await runToEnd([
        "serve",
        "--http-port",
        "0",
        "--grpc-port",
        "0",
        "--data-dir",
        join(root, "two"),
        flag,
        new URL(first.url).port,
      ]);
      expect(code).toBe(78);
      expect(log).toMatch(/cannot listen on 127\.0\.0\.1/i);
    }
    await serve(["--data-dir", join(root, "two")]);
  });

  test("rejects a second host on the same data directory", async () => {
    const directory = join(temporaryDirectory(), "data");
    const first = await serve(["--data-dir", directory]);
    const { code, log } = await runToEnd([
      "serve",
      "--data-dir",
      directory,
      "--http-port",
      "0",
      "--grpc-port",
      "0",
    ]);
    expect(code).toBe(78);
    expect(log).toContain(directory);
    expect(log).toMatch(/^holdfast: .*in use|another/i);
    expect((await post(first, "still-here")).status).toBe(200);
    await first.stop();
    expect(
      (await ask(`${examples(await serve(["--data-dir", directory]))}/still-here`)).status,
    ).toBe(200);
  });
});

describe("authentication", () => {
  test.each([["--http-host"], ["--grpc-host"]])(
    "%s 0.0.0.0 requires tokens and a backup root",
    async (flag) => {
      const root = temporaryDirectory();
      const tokens = join(root, "tokens");
      writeFileSync(tokens, "t admin\n");
      const run = (...more: string[]) =>
        runToEnd([
          "serve",
          "--data-dir",
          join(root, "data"),
          "--http-port",
          "0",
          "--grpc-port",
          "0",
          flag,
          "0.0.0.0",
          ...more,
        ]);
      expect(await run()).toMatchObject({
        code: 78,
        output: "",
        log: expect.stringMatching(/--token-file.*--backup-root/) as unknown,
      });
      expect((await run("--token-file", tokens)).log).toMatch(/requires a backup root/);
      expect((await run("--backup-root", root)).log).toMatch(/requires a token file/);
      expect(existsSync(join(root, "data"))).toBe(false);
    },
  );

  test("enforces the roles of tokens over HTTP and gRPC, and never logs tokens", async () => {
    const root = temporaryDirectory();
    const tokens = join(root, "tokens");
    writeFileSync(
      tokens,
      "reader-token read\nwriter-token write\nbackup-token backup\nrestore-token restore\nadmin-token admin\n",
    );
    const host = await serve(["--data-dir", join(root, "data"), "--token-file", tokens]);
    const destination = `file:${join(root, "backup")}`;
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const http = {
      write: async (token: string) =>
        (await ask(examples(host), "POST", { name: "n" }, bearer(token))).status,
      read: async (token: string) =>
        (await ask(examples(host), "GET", undefined, bearer(token))).status,
      backup: async (token: string) =>
        (
          await ask(
            management(host),
            "PATCH",
            managementRequest("Backup", { destination, backupType: "DIRECTORY" }),
            bearer(token),
          )
        ).status,
      restore: async (token: string) =>
        (
          await ask(
            management(host),
            "PATCH",
            managementRequest("Restore", { destination }),
            bearer(token),
          )
        ).status,
    };
    expect((await ask(examples(host))).status).toBe(401);
    expect((await ask(`${host.url}/v1/host`)).status).toBe(401);
    const documents = new DocumentServiceClient(host.grpc, grpc.credentials.createInsecure());
    const manager = new ManagementServiceClient(host.grpc, grpc.credentials.createInsecure());
    const call = (
      token: string,
      start: (metadata: grpc.Metadata, done: (error: grpc.ServiceError | null) => void) => void,
    ) => {
      const metadata = new grpc.Metadata();
      if (token !== "") metadata.set("authorization", `Bearer ${token}`);
      return new Promise<number>((resolve) =>
        start(metadata, (error) => resolve(error?.code ?? 0)),
      );
    };
    const rpc = {
      write: (token: string) =>
        call(token, (metadata, done) =>
          documents.createDocument(
            {
              factoryLink: "/core/examples",
              documentId: "",
              revive: false,
              bodyFormat: BodyFormat.BODY_FORMAT_UNSPECIFIED,
              body: { $case: "json", value: Buffer.from('{"name":"n"}') },
            },
            metadata,
            done,
          ),
        ),
      read: (token: string) =>
        call(token, (metadata, done) =>
          documents.getDocument(
            { selfLink: "/core/examples/none", bodyFormat: BodyFormat.BODY_FORMAT_UNSPECIFIED },
            metadata,
            done,
          ),
        ),
      backup: (token: string) =>
        call(token, (metadata, done) =>
          manager.backup(
            BackupRequest.fromPartial({
              destination,
              container: Container.CONTAINER_DIRECTORY,
              validateOnly: true,
            }),
            metadata,
            done,
          ),
        ),
      restore: (token: string) =>
        call(token, (metadata, done) =>
          manager.restore(
            RestoreRequest.fromPartial({ source: destination, validateOnly: true }),
            metadata,
            done,
          ),
        ),
    };
    const may: Record<string, string[]> = {
      "reader-token": ["read"],
      "writer-token": ["read", "write"],
      "backup-token": ["backup"],
      "restore-token": ["restore"],
      "admin-token": ["read", "write", "backup", "restore"],
    };
    const { PERMISSION_DENIED, UNAUTHENTICATED } = grpc.status;
    try {
      for (const [token, allowed] of Object.entries(may)) {
        for (const work of ["write", "read", "backup", "restore"] as const) {
          const expected = allowed.includes(work);
          expect(`${token} ${work}: ${(await http[work](token)) === 200}`).toBe(
            `${token} ${work}: ${expected}`,
          );
          const code = await rpc[work](token);
          expect(
            `${token} ${work}: ${code !== PERMISSION_DENIED && code !== UNAUTHENTICATED}`,
          ).toBe(`${token} ${work}: ${expected}`);
        }
      }
      for (const work of ["write", "read", "backup", "restore"] as const) {
        expect(await http[work]("nobody")).toBe(401);
        expect(await rpc[work]("nobody")).toBe(UNAUTHENTICATED);
        expect(await rpc[work]("")).toBe(UNAUTHENTICATED);
      }
    } finally {
      documents.close();
      manager.close();
    }
    const secret = await ask(
      management(host),
      "PATCH",
      managementRequest("Backup", {
        destination,
        backupType: "DIRECTORY",
        bearer: "destination-token",
      }),
      bearer("admin-token"),
    );
    expect(secret.status).toBe(200);
    expect(JSON.stringify(secret.body)).not.toContain("destination-token");
    await host.stop();
    expect(`${host.log()}${host.greeting}`).not.toMatch(/-token\b(?!-file)/);
  });
});

describe("factories and indexes", () => {
  test("are added by flags; an in-memory index is empty after a restart, a durable one is not", async () => {
    const directory = join(temporaryDirectory(), "data");
    const args = [
      "--data-dir",
      directory,
      "--id",
      "host-7",
      "--memory-index",
      "/core/scratch",
      "--factory",
      "/core/notes=test:note@/core/scratch",
      "--factory",
      "/core/books=test:book",
    ];
    const links = ["/core/examples", "/core/books", "/core/in-memory-examples", "/core/notes"];
    let host = await serve(args);
    for (const link of links) {
      const { status, body } = await ask(`${host.url}${link}`, "POST", {
        documentSelfLink: "one",
        name: "first",
        big: 1,
      });
      expect({ link, status, owner: body["documentOwner"] }).toEqual({
        link,
        status: 200,
        owner: "host-7",
      });
      await ask(`${host.url}${link}/one`, "PATCH", { name: "second" });
    }
    const before = await Promise.all(links.map((link) => ask(`${host.url}${link}/one`)));
    for (const { body } of before)
      expect(body).toMatchObject({ name: "second", documentVersion: 1 });
    expect(await host.stop()).toBe(0);

    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      host = await serve(args);
      const after = await Promise.all(links.map((link) => ask(`${host.url}${link}/one`)));
      expect(after.map(({ status }) => status)).toEqual([200, 200, 404, 404]);
      expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
      for (const link of links.slice(2))
        await ask(`${host.url}${link}`, "POST", { documentSelfLink: "one", name: "again" });
      await host.stop(signal);
    }
    host = await serve(args);
    for (const link of links.slice(2))
      expect((await ask(`${host.url}${link}`)).body["documentLinks"]).toEqual([]);
  });

  test("keeps the generated host id", async () => {
    const args = ["--data-dir", join(temporaryDirectory(), "data")];
    const idOf = async (host: ServedHost) => (await ask(management(host))).body["id"];
    const first = await serve(args);
    const id = await idOf(first);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    await first.stop();
    expect(await idOf(await serve(args))).toBe(id);
  });
});

describe("stopping", () => {
  const order = (log: string, ...messages: string[]) =>
    messages.map((message) => log.indexOf(`"${message}`));

  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s: completes requests in flight and running backups, then exits with 0",
    async (signal) => {
      const root = temporaryDirectory();
      const data = ["--data-dir", join(root, "data")];
      let host = await serve(data);
      for (let i = 0; i < 24; i++)
        expect(
          (await post(host, `large-${i}`, { text: randomBytes(750_000).toString("base64") }))
            .status,
        ).toBe(200);
      const body = JSON.stringify({ name: "in flight", documentSelfLink: "in-flight" });
      const { hostname, port } = new URL(host.url);
      const socket = connect(Number(port), hostname);
      let answer = "";
      socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
      socket.write(
        `POST /core/examples HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 10)}`,
      );
      const destination = `file:${join(root, "backup.zip")}`;
      const begun = await ask(
        management(host),
        "PATCH",
        managementRequest("Backup", { destination, backupType: "ZIP" }),
        { prefer: "respond-async" },
      );
      expect(begun.status).toBe(202);

      const ended = host.stop(signal);
      await eventually(() =>
        ask(examples(host)).then(
          () => false,
          () => true,
        ),
      );
      socket.write(body.slice(10));
      await once(socket, "close");
      expect(answer).toMatch(
        /^HTTP\/1\.1 200 OK[^]*connection: close[^]*"documentSelfLink":"\/core\/examples\/in-flight"/i,
      );
      expect(await ended).toBe(0);
      const [stopping = -1, done = -1, stopped = -1] = order(
        host.log(),
        "stopping",
        "backup done",
        "stopped",
      );
      expect(stopping).toBeGreaterThan(0);
      expect(done).toBeGreaterThan(stopping);
      expect(stopped).toBeGreaterThan(done);

      host = await serve(data);
      expect((await ask(`${examples(host)}/in-flight`)).status).toBe(200);
      expect(
        (await ask(management(host), "PATCH", managementRequest("Restore", { destination })))
          .status,
      ).toBe(200);
      expect((await ask(examples(host))).body["documentCount"]).toBeGreaterThanOrEqual(24);
      expect(readdirSync(root).sort()).toEqual(["backup.zip", "data"]);
    },
  );

  test("is not delayed by idle or unresponsive connections", async () => {
    const host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
    const { hostname, port } = new URL(host.url);
    const silent = [
      connect(Number(port), hostname),
      connect(Number(host.grpc.split(":")[1]), hostname),
    ];
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    expect((await post(host, "keep-alive")).status).toBe(200);
    const client = new DocumentServiceClient(host.grpc, grpc.credentials.createInsecure());
    await new Promise((resolve) =>
      client.getDocument(
        { selfLink: "/core/examples/keep-alive", bodyFormat: BodyFormat.BODY_FORMAT_UNSPECIFIED },
        resolve,
      ),
    );
    const begun = Date.now();
    expect(await host.stop()).toBe(0);
    expect(Date.now() - begun).toBeLessThan(20_000);
    client.close();
    for (const socket of silent) socket.destroy();
  });

  test("exits immediately on a second signal", async () => {
    const host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
    const { hostname, port } = new URL(host.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.write(
      "POST /core/examples HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    );
    // The host reports nothing about an incomplete request: this is time for it to arrive.
    await sleep(100);
    host.process.kill("SIGTERM");
    await eventually(() => host.log().includes("stopping"));
    expect(host.process.exitCode).toBeNull();
    const begun = Date.now();
    expect(await host.stop("SIGINT")).toBe(130);
    expect(Date.now() - begun).toBeLessThan(20_000);
  });

  test("stops on a signal during the start", async () => {
    const directory = join(temporaryDirectory(), "data");
    for (const delay of [150, 250, 400]) {
      const starting = serve(["--data-dir", directory]).then(
        () => "served",
        () => "ended",
      );
      // The point of the start at which the signal arrives.
      await sleep(delay);
      const pid = pidWith(directory);
      if (pid !== undefined) process.kill(pid, "SIGTERM");
      await starting;
      if (pid !== undefined) await eventually(() => pidWith(directory) !== pid);
    }
    await serve(["--data-dir", directory]);
  });

  test("runs and stops as process 1", async () => {
    const wrapper = ["unshare", "--pid", "--fork"];
    if (spawnSync("unshare", ["--pid", "--fork", "true"]).status !== 0) {
      console.warn("SKIPPED: unshare --pid is not available or not allowed.");
      return;
    }
    const root = temporaryDirectory();
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const host = await serve(["--data-dir", join(root, "data")], { wrapper });
      const outer = host.process.pid ?? 0;
      const inner = Number(readFileSync(`/proc/${outer}/task/${outer}/children`, "utf8").trim());
      expect(/^NSpid:.*\t1$/m.test(readFileSync(`/proc/${inner}/status`, "utf8"))).toBe(true);
      expect((await post(host, signal.toLowerCase())).status).toBe(200);
      expect(
        (
          await ask(
            management(host),
            "PATCH",
            managementRequest("Backup", {
              destination: `file:${join(root, "b")}`,
              backupType: "DIRECTORY",
            }),
          )
        ).status,
      ).toBe(200);
      expect(
        (
          await ask(
            management(host),
            "PATCH",
            managementRequest("Restore", { destination: `file:${join(root, "b")}` }),
          )
        ).status,
      ).toBe(200);
      process.kill(inner, signal);
      expect(await host.ended).toBe(0);
    }
  });
});

/** The process that serves a data directory, according to the process table. */
function pidWith(directory: string): number | undefined {
  for (const name of existsSync("/proc/self/cmdline") ? readdirSync("/proc") : []) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      if (words.includes("serve") && words.includes(directory)) return Number(name);
    } catch {
      // The process ended in the meantime.
    }
  }
  return undefined;
}

describe("SIGKILL", () => {
  test("under load loses no acknowledged write", async () => {
    const directory = join(temporaryDirectory(), "data");
    const acknowledged = new Map<string, number>();
    const rounds = 3;
    for (let round = 0; round < rounds; round++) {
      const host = await serve(["--data-dir", directory]);
      let killed = false;
      const write = async (worker: number) => {
        for (let i = 0; !killed; i++) {
          const link = `/core/examples/${round}-${worker}-${i}`;
          try {
            const { status } = await post(host, link.slice("/core/examples/".length), {
              counter: i,
            });
            if (status === 200) acknowledged.set(link, 0);
            // Every third document is changed, so that versions are verified too.
            if (
              i % 3 === 0 &&
              (await ask(`${host.url}${link}`, "PATCH", { counter: -i })).status === 200
            )
              acknowledged.set(link, 1);
          } catch {
            return;
          }
        }
      };
      const writers = Array.from({ length: 16 }, (_, worker) => write(worker));
      const before = acknowledged.size;
      // The point of the load at which the process is killed.
      await sleep(300 + 200 * round);
      await eventually(() => acknowledged.size - before > 50);
      expect(await host.stop("SIGKILL")).toBe("SIGKILL");
      killed = true;
      await Promise.all(writers);
      expect(acknowledged.size - before).toBeGreaterThan(50);
    }
    const host = await serve(["--data-dir", directory]);
    const { body } = await ask(`${examples(host)}?expand&$limit=10000`);
    let page = body as {
      documents: Record<string, { documentVersion: number }>;
      nextPageLink?: string;
    };
    const found = new Map<string, number>();
    for (;;) {
      for (const [link, { documentVersion }] of Object.entries(page.documents))
        found.set(link, documentVersion);
      if (page.nextPageLink === undefined) break;
      page = (await ask(`${host.url}${page.nextPageLink}`)).body as typeof page;
    }
    const lost = [...acknowledged].filter(([link, version]) => (found.get(link) ?? -1) < version);
    console.info(
      `${acknowledged.size} documents acknowledged over ${rounds} kills, ${lost.length} lost`,
    );
    expect(lost).toEqual([]);
    expect(await host.stop()).toBe(0);
  });

  test("leaves a private data directory without temporary files", async () => {
    const root = temporaryDirectory();
    const directory = join(root, "data");
    const args = ["--data-dir", directory];
    const first = await serve(args);
    const names = readdirSync(directory).sort();
    await post(first, "one");
    await first.stop("SIGKILL");
    const second = await serve(args);
    expect(readdirSync(directory).sort()).toEqual(names);
    expect(statSync(directory).mode & 0o077).toBe(0);
    expect((await ask(`${examples(second)}/one`)).status).toBe(200);
  });
});
