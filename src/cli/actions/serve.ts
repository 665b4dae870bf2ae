import { readConfig, readLogConfig } from "../../host/config.js";
import { createHost, type Host } from "../../host/start.js";
import { limits } from "../../limits.js";
import { productVersion } from "../../host/product-version.js";
import type { SettingFlags } from "../commands/serve.js";
import { createLogger } from "../logger.js";
import { reloadOnChange } from "../reload.js";

/** holdfast serve: runs a host until SIGTERM or SIGINT. */
export async function serve(flags: SettingFlags, quiet: boolean): Promise<void> {
  const stop = signalled();
  // A host that reloads nothing, and one that starts, is not ended by it.
  process.on("SIGHUP", () => undefined);
  const logger = await createLogger(readLogConfig(flags, process.env));
  const config = readConfig(flags, process.env);
  const host = await createHost({ ...config, logger });
  const stopReloading = reloadOnChange({
    files: config.secretFiles ?? [],
    reload: () => {
      const { tokens, tls } = readConfig(flags, process.env);
      host.reload({ ...(tokens !== undefined && { tokens }), ...(tls && { tls }) });
    },
    log: logger,
  });
  const { id, dataDirectory, backupRoots } = host;
  logger.info(
    {
      version: productVersion,
      id,
      http: httpAddress(host),
      grpc: grpcAddress(host),
      dataDirectory,
      backupRoots,
    },
    "started",
  );
  if (!quiet) process.stdout.write(greeting(host, config.tokens !== undefined));
  const signal = await Promise.race([stop, host.closed]);
  if (signal !== undefined)
    logger.info({ signal }, "stopping: requests in flight and copies under way are finished first");
  stopReloading();
  await host.close();
  logger.info({}, "stopped");
  // A connection whose other end does not answer must not keep a closed host alive.
  process.exit();
}

/** The first SIGTERM or SIGINT; listened for from before the start, as PID 1 has no default for them. A second one ends at once, and so does time. */
function signalled(): Promise<string> {
  return new Promise((resolve) => {
    let asked: { signal: string; ms: number } | undefined;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        // npm hands on the Ctrl-C that the terminal has sent already: that is one.
        if (asked?.signal === signal && performance.now() - asked.ms < limits.sameSignalMs) return;
        if (asked !== undefined) process.exit(130);
        asked = { signal, ms: performance.now() };
        // A file system that does not answer holds threads that an exit would wait for.
        setTimeout(
          () => process.kill(process.pid, "SIGKILL"),
          limits.shutdownMs + limits.shutdownGraceMs,
        ).unref();
        resolve(signal);
      });
    }
  });
}

function greeting(host: Host, withTokens: boolean): string {
  const http = httpAddress(host);
  const roots =
    host.backupRoots.length > 0
      ? host.backupRoots.join(", ")
      : "anywhere this user may write (limit it with --backup-root)";
  return [
    `Holdfast is ready.`,
    `  HTTP     ${http}`,
    `  gRPC     ${grpcAddress(host)}`,
    `  data     ${host.dataDirectory}`,
    `  backups  ${roots}`,
    `Try it:`,
    `  curl ${host.tls ? "--cacert CA.pem " : ""}${withTokens ? "-H 'Authorization: Bearer TOKEN' " : ""}-H 'Content-Type: application/json' -d '{"name":"first","documentSelfLink":"first"}' ${http}/core/examples`,
    ``,
  ].join("\n");
}

const httpAddress = ({ tls, httpAddress: { host, port } }: Host) =>
  `http${tls ? "s" : ""}://${bracket(host)}:${port}`;
const grpcAddress = ({ grpcAddress: { host, port } }: Host) => `${bracket(host)}:${port}`;
const bracket = (host: string) => (host.includes(":") ? `[${host}]` : host);
