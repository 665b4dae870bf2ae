import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkConfiguration } from "../../src/host/config-check.js";
import type { PostgresOptions } from "../../src/host/options.js";
import { authority, type Issued } from "../support/certificates.js";
import { hostFixture } from "../support/host-fixture.js";
import { havePostgres, startPostgres, type PostgresServer } from "../support/postgres-server.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";

/** A key that the user of the server may read: PostgreSQL refuses one that others may read too. */
function readableByServer({ keyFile }: Issued): string {
  execFileSync("chmod", ["o+x", dirname(keyFile)]);
  if (process.getuid?.() === 0) {
    const group = Number(execFileSync("id", ["-g", "postgres"], { encoding: "utf8" }));
    chownSync(keyFile, 0, group);
    chmodSync(keyFile, 0o640);
  } else chmodSync(keyFile, 0o600);
  return keyFile;
}

(havePostgres && haveTools("tests of TLS to a database", "openssl") ? describe : describe.skip)(
  "TLS to a database",
  () => {
    const ours = authority();
    const other = authority();
    let server: PostgresServer;
    let address: string;

    beforeAll(async () => {
      const issued = ours.issue("server", "IP:127.0.0.1");
      const key = readableByServer(issued);
      const directory = temporaryDirectory();
      const hba = join(directory, "pg_hba.conf");
      writeFileSync(
        hba,
        "hostssl all holdfast 127.0.0.1/32 cert\nhost all admin 127.0.0.1/32 trust\n",
      );
      chmodSync(hba, 0o644);
      execFileSync("chmod", ["o+rx", directory]);
      execFileSync("chmod", ["o+r", issued.certificateFile, ours.file]);
      server = await startPostgres({
        settings: [
          "ssl = on",
          `ssl_cert_file = '${issued.certificateFile}'`,
          `ssl_key_file = '${key}'`,
          `ssl_ca_file = '${ours.file}'`,
          `hba_file = '${hba}'`,
        ],
      });
      address = server.url;
    });

    const check = (options: Partial<PostgresOptions>) =>
      checkConfiguration({
        dataDirectory: join(temporaryDirectory(), "data"),
        postgres: { url: address, ...options },
      });

    test("connects with a certificate that the server accepts, for documents, backups and restores", async () => {
      // Its common name is the user.
      const { certificate, key } = ours.issue("holdfast", "DNS:holdfast");
      const postgres = { url: address, ca: ours.pem, certificate, key };
      await check(postgres);
      const fixture = await hostFixture({ postgres });
      await fixture.put("x", { n: 1 });
      await fixture.backup("dir");
      await fixture.put("x", { n: 2 });
      await fixture.restore("dir");
      expect(await fixture.contents()).toEqual({ x: '{"n":1}' });
    });

    test.each<[string, () => Partial<PostgresOptions>, RegExp]>([
      [
        "an authority that did not sign the server's",
        () => {
          const { certificate, key } = ours.issue("holdfast", "DNS:holdfast");
          return { ca: other.pem, certificate, key };
        },
        /certificate|unable to verify|signature/i,
      ],
      [
        "a certificate of another authority",
        () => {
          const { certificate, key } = other.issue("holdfast", "DNS:holdfast");
          return { ca: ours.pem, certificate, key };
        },
        /certificate|unknown ca|refuses/i,
      ],
      ["no certificate", () => ({ ca: ours.pem }), /certificate/i],
      ["no TLS", () => ({}), /pg_hba|no encryption|refuses/i],
      [
        "a certificate without a key",
        () => ({ ca: ours.pem, certificate: ours.pem }),
        /--postgres-key-file/,
      ],
    ])("refuses %s", async (_what, options, message) => {
      await expect(check(options())).rejects.toThrow(message);
    });
  },
);
