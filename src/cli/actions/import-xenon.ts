import { resolve } from "node:path";
import { HostError } from "../../errors.js";
import { importXenon, type ImportProgress, type ImportReport } from "../../offline/xenon-import.js";
import { formatBytes, formatCount, formatNumber } from "../output/format.js";
import { printJsonValue } from "../output/json.js";
import { startProgress, type Progress } from "../output/progress.js";
import { optionOf } from "../flags.js";
import type { CommandContext } from "../command-context.js";
import { tokenOf } from "../connect/target.js";
import type { ImportFlags } from "../flags.js";

/**
 * Implements holdfast import --from-xenon: copies the documents of a live Xenon host, and verifies
 * that both sides match.
 */
export async function importFromXenon(
  context: CommandContext,
  flags: ImportFlags,
  from: string,
  factories: string[],
): Promise<void> {
  const to = flags.to ?? "http://127.0.0.1:8000";
  const pageSize = flags.pageSize ?? "500";
  if (!/^[1-9]\d{0,3}$/.test(pageSize))
    throw new HostError("REQUEST_INVALID", "--page-size must be a whole number from 1 to 9999.");
  for (const name of [
    "address",
    "profile",
    "profiles",
    "tls",
    "caFile",
    "clientCert",
    "clientKey",
  ] as const) {
    if (flags[name] === undefined) continue;
    throw new HostError(
      "REQUEST_INVALID",
      `${optionOf(name)} applies to the gRPC port, but --from-xenon copies over HTTP. Set the target with --to URL, its token with --token-file, and additional trusted CAs with NODE_EXTRA_CA_CERTS.`,
    );
  }
  const token = tokenOf(flags, process.env["HOLDFAST_TOKEN"] || undefined, {});
  const workDirectory = resolve(
    flags.workDir ??
      `holdfast-import-${from
        .replace(/^\w+:\/\//, "")
        .replace(/[^\w.-]+/g, "-")
        .replace(/-$/, "")}`,
  );
  const request = {
    from,
    to,
    factories,
    allVersions: flags.allVersions ?? false,
    indexLink: flags.index ?? "/core/document-index",
    workDirectory,
    pageSize: Number(pageSize),
    replace: flags.replace ?? false,
    ...(token !== undefined && { token }),
  };
  const progress = startProgress(context);
  let report: ImportReport;
  try {
    report = await importXenon(request, context.abort.signal, (state) =>
      showProgress(progress, state),
    );
  } catch (thrown) {
    if (context.abort.reason === undefined) throw thrown;
    throw new HostError(
      "OPERATION_CANCELLED",
      "Interrupted. Copied data is kept; to resume, run the same command again.",
      { cause: thrown, metadata: { operation: "import" } },
    );
  } finally {
    progress.stop();
  }
  if (context.json)
    await printJsonValue(context.command, { ...report, workDirectory } as unknown as Parameters<
      typeof printJsonValue
    >[1]);
  else await context.printText(resultText(report, from, to));
  if (report.differences.length > 0) {
    throw new HostError(
      "SOURCE_CHANGED",
      "The documents on both sides differ, most likely because one side was written to during the import. Stop all writers and run the same command again.",
      { metadata: { operation: "import" } },
    );
  }
  await context.printText(
    `Copied data is kept in ${workDirectory}, so that the same command copies only later changes. Remove it after the migration.`,
  );
}

function showProgress(progress: Progress, { step, factory, done }: ImportProgress): void {
  const detail =
    step === "sending" ? formatBytes(done) : done > 0 ? formatCount(done, "version") : "";
  progress.update({
    stage: `${step}${factory === undefined ? "" : ` ${factory}`}`,
    done: 0,
    total: 0,
    unit: "records",
    detail,
  });
}

function resultText(
  { documents, versions, movedTimes, factories, differences }: ImportReport,
  from: string,
  to: string,
): string {
  const lines = [
    `Copied ${formatNumber(documents)} documents with ${formatNumber(versions)} versions from ${from} to ${to}.`,
  ];
  if (movedTimes > 0)
    lines.push(
      `${movedTimes} versions had the same time as another one and were moved to the next free microsecond.`,
    );
  for (const { path, source, target } of factories) {
    const isSame = source.digest === target.digest;
    lines.push(`${path}: ${isSame ? "identical on both sides" : "DIFFERENT"}`);
    for (const [name, sum] of [
      ["source", source],
      ["target", target],
    ] as const) {
      lines.push(
        `  ${name}  ${formatNumber(sum.links)} links, ${formatNumber(sum.versions)} versions, sha256 ${sum.digest}`,
      );
    }
  }
  for (const { link, version } of differences) lines.push(`  differs: ${link} version ${version}`);
  return `${lines.join("\n")}\n`;
}
