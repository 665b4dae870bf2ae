import { readConfig, readLogConfig } from "../../host/config.js";
import { createHost, type Host } from "../../host/start.js";
import { limits } from "../../limits.js";
import { productVersion } from "../../host/product-version.js";
import type { SettingFlags } from "../flags.js";
import { createLogger } from "../logger.js";
import { reloadOnChange } from "../reload.js";

/** Implements holdfast serve: runs a host until SIGTERM or SIGINT. */
export async function serve(flags: SettingFlags, quiet: boolean): Promise<void> {
  const stopSignal = waitForSignal();
  // By default SIGHUP ends the process; it must not while the host starts, or if it has no files to
  // reload.
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
  if (!quiet) process.stdout.write(greeting(host, config.tokens !== undefined, await newsOf(host)));
  const signal = await Promise.race([stopSignal, host.closed]);
  if (signal !== undefined)
    logger.info({ signal }, "stopping; waiting for requests and backups in progress");
  stopReloading();
  await host.close();
  logger.info({}, "stopped");
  // Unresponsive connections would otherwise keep the process of a closed host alive.
  process.exit();
}

/**
 * Resolves with the first SIGTERM or SIGINT. Must be called before the host starts, because PID 1
 * has no default action for signals. A second signal exits at once; the process is killed if
 * stopping exceeds the shutdown limits.
 */
function waitForSignal(): Promise<string> {
  return new Promise((resolve) => {
    let first: { signal: string; ms: number } | undefined;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        // npm forwards the SIGINT that the terminal has already sent to this process; both count as
        // one.
        if (first?.signal === signal && performance.now() - first.ms < limits.duplicateSignalMs)
          return;
        if (first !== undefined) process.exit(130);
        first = { signal, ms: performance.now() };
        // SIGKILL, since process.exit waits for threads that are blocked on an unresponsive file
        // system.
        setTimeout(
          () => process.kill(process.pid, "SIGKILL"),
          limits.shutdownMs + limits.shutdownGraceMs,
        ).unref();
        resolve(signal);
      });
    }
  });
}

/** What a reader of the greeting should know: which host leads, or that there are no backups yet. */
async function newsOf({ management, policies }: Host): Promise<string[]> {
  const { backups, engine } = await management.host();
  const { database } = engine;
  if (database && !database.leads) {
    const leader = database.hosts.find(({ isLeader }) => isLeader);
    return [
      `  leader   ${leader ? `${leader.id}${leader.addresses.http === "" ? "" : ` at ${leader.addresses.http}`}, which backs up and restores` : "none at present"}`,
    ];
  }
  if (backups.some(({ lastSuccessMicros }) => lastSuccessMicros > 0)) return [];
  // Another host may lead by now.
  const all = await policies.list().catch(() => undefined);
  if (all === undefined || all.some(({ policy }) => !policy.paused)) return [];
  return [`No backups yet. Add a policy: holdfast policy add daily DIR|URI --cron "0 3 * * *"`];
}

function greeting(host: Host, withTokens: boolean, news: readonly string[]): string {
  const http = httpAddress(host);
  const roots =
    host.backupRoots.length > 0
      ? host.backupRoots.join(", ")
      : "any directory writable by this user (restrict with --backup-root)";
  return [
    `Holdfast is ready.`,
    `  HTTP     ${http}`,
    `  gRPC     ${grpcAddress(host)}`,
    `  data     ${host.dataDirectory}`,
    `  backups  ${roots}`,
    ...news,
    `Try it:`,
    `  curl ${host.tls ? "--cacert CA.pem " : ""}${withTokens ? "-H 'Authorization: Bearer TOKEN' " : ""}-H 'Content-Type: application/json' -d '{"name":"first","documentSelfLink":"first"}' ${http}/core/examples`,
    ``,
  ].join("\n");
}

const httpAddress = ({ tls, httpAddress: { host, port } }: Host) =>
  `http${tls ? "s" : ""}://${bracket(host)}:${port}`;
const grpcAddress = ({ grpcAddress: { host, port } }: Host) => `${bracket(host)}:${port}`;
const bracket = (host: string) => (host.includes(":") ? `[${host}]` : host);
