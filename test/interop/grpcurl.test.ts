import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { startServers } from "./support/servers.js";

/** grpcurl has no protos: its output depends on reflection alone. */
const directories = [
  resolve(process.cwd(), ".cache/go-bin"),
  ...(process.env["PATH"] ?? "").split(delimiter),
];
const grpcurl = directories
  .map((directory) => join(directory, "grpcurl"))
  .find((path) => existsSync(path));

test("grpcurl lists, describes and calls services", async () => {
  if (grpcurl === undefined) {
    console.warn(
      'SKIPPED: grpcurl not found. "GOBIN=$PWD/.cache/go-bin go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4" installs it.',
    );
    return;
  }
  const servers = await startServers();
  const run = async (...args: string[]) => {
    try {
      return await promisify(execFile)(grpcurl, ["-plaintext", ...args]);
    } catch (error) {
      return error as { stdout: string; stderr: string };
    }
  };
  try {
    expect((await run(servers.grpcAddress, "list")).stdout.split("\n")).toContain(
      "holdfast.management.v1.ManagementService",
    );
    const described = (
      await run(servers.grpcAddress, "describe", "holdfast.management.v1.ManagementService")
    ).stdout;
    expect(described).toContain('post: "/v1/backups"');
    expect(described).toContain('response_type: "BackupResult"');
    expect(
      (await run(servers.grpcAddress, "describe", "holdfast.document.v1.GetDocumentRequest"))
        .stdout,
    ).toContain("max_bytes: 1024");
    const begun = JSON.parse(
      (
        await run(
          "-d",
          '{"destination":"file:/backups"}',
          servers.grpcAddress,
          "holdfast.management.v1.ManagementService/Backup",
        )
      ).stdout,
    ) as object;
    expect(begun).toMatchObject({
      done: true,
      response: { "@type": "type.googleapis.com/holdfast.management.v1.BackupResult" },
    });
    const refused = await run(
      "-d",
      '{"self_link":"/core/none"}',
      servers.grpcAddress,
      "holdfast.document.v1.DocumentService/GetDocument",
    );
    expect(refused.stderr).toContain("NotFound");
    expect(refused.stderr).toContain('"reason": "DOCUMENT_NOT_FOUND"');
    expect((await run(servers.grpcAddress, "grpc.health.v1.Health/Check")).stdout).toContain(
      "SERVING",
    );
  } finally {
    await servers.close();
  }
});
