import { resolve } from "node:path";
import type { Command } from "commander";
import { HostError } from "../../errors.js";
import { importXenon, type ImportProgress, type ImportReport } from "../../xenon-import.js";

interface ImportFlags {
  fromXenon: string;
  to: string;
  factory: string[];
  allVersions: boolean;
  index: string;
  workDir?: string;
  pageSize: string;
  replace: boolean;
  token?: string;
  quiet: boolean;
}

/** holdfast import --from-xenon: copies the documents of a live Xenon host into one of ours, and proves that they arrived. */
export function addImport(program: Command): void {
  program
    .command("import")
    .description("copy documents from a live Xenon host, and prove that both sides hold the same")
    .requiredOption("--from-xenon <URL>", "the Xenon host, for example http://old-host:8000")
    .requiredOption("--factory <PATH>", "a factory to copy, served on both sides; repeatable", (value: string, before: string[] | undefined) => [...(before ?? []), value])
    .option("--to <URL>", "the host to copy into", "http://127.0.0.1:8000")
    .option("--all-versions", "copy every version that is kept, deleted documents too; otherwise the latest of each", false)
    .option("--index <LINK>", "the index, on both sides", "/core/document-index")
    .option("--work-dir <DIR>", "where what was copied is kept, so that the next run fetches only what changed (default holdfast-import-HOST-PORT)")
    .option("--page-size <N>", "documents in one page", "500")
    .option("--replace", "put aside what the index holds that does not come from this import", false)
    .option("--token <TOKEN>", "for the host to copy into; or HOLDFAST_TOKEN in the environment")
    .option("--quiet", "no progress, only the result", false)
    .addHelpText("after", "\nExample:\n  holdfast import --from-xenon http://old-host:8000 --factory /core/examples --all-versions\n\nThe same command given again goes on where it was interrupted, and fetches what changed since it was done.")
    .action(async (flags: ImportFlags) => runImport(flags));
}

async function runImport(flags: ImportFlags): Promise<void> {
  const stop = new AbortController();
  const interrupted = () => stop.abort(new HostError("OPERATION_CANCELLED", "Interrupted. What was copied is kept: the same command goes on from there."));
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const token = flags.token ?? (process.env["HOLDFAST_TOKEN"] || undefined);
  if (!/^[1-9]\d{0,3}$/.test(flags.pageSize)) throw new HostError("CONFIGURATION_INVALID", "--page-size must be a whole number from 1 to 9999.");
  const factories = flags.factory.map((path) => path.replace(/\/+$/, ""));
  for (const path of factories) if (!/^\/[^?#\s]+$/.test(path)) throw new HostError("CONFIGURATION_INVALID", `--factory ${path} is no path; write for example /core/examples.`);
  const { fromXenon: from, to } = flags;
  const workDirectory = resolve(flags.workDir ?? `holdfast-import-${from.replace(/^\w+:\/\//, "").replace(/[^\w.-]+/g, "-").replace(/-$/, "")}`);
  const request = {
    from,
    to,
    factories: [...new Set(factories)],
    allVersions: flags.allVersions,
    indexLink: flags.index,
    workDirectory,
    pageSize: Number(flags.pageSize),
    replace: flags.replace,
    ...(token !== undefined && { token }),
  };
  const report = await importXenon(request, stop.signal, flags.quiet ? () => {} : progressLines(process.stderr));
  process.stdout.write(resultText(report, from, to));
  if (report.differences.length > 0) {
    throw new HostError("SOURCE_CHANGED", "The two sides do not hold the same, most likely because one was written to meanwhile. Stop the writers and give the same command again.");
  }
  process.stdout.write(`${workDirectory} is kept: the same command fetches what changes until then. Remove it when the move is over.\n`);
}

/** A line for each step, and every two seconds. */
function progressLines(out: NodeJS.WritableStream): (progress: ImportProgress) => void {
  let last = "";
  let toldAt = 0;
  return ({ step, factory, done }) => {
    const now = performance.now();
    const what = `${step}${factory === undefined ? "" : ` ${factory}`}`;
    if (what === last && now - toldAt < 2000) return;
    last = what;
    toldAt = now;
    const count = step === "sending" ? `${(done / 2 ** 20).toFixed(1)} MiB` : done > 0 ? `${done.toLocaleString("en-US")} versions` : "";
    out.write(`${what}${count === "" ? "" : `: ${count}`}\n`);
  };
}

function resultText({ documents, versions, movedTimes, factories, differences }: ImportReport, from: string, to: string): string {
  const lines = [`Copied ${documents.toLocaleString("en-US")} documents with ${versions.toLocaleString("en-US")} versions from ${from} to ${to}.`];
  if (movedTimes > 0) lines.push(`${movedTimes} versions had the time of another one and were moved to the next free microsecond.`);
  for (const { path, source, target } of factories) {
    const same = source.digest === target.digest;
    lines.push(`${path}: ${same ? "the same on both sides" : "NOT THE SAME"}`);
    for (const [name, sum] of [["source", source], ["target", target]] as const) {
      lines.push(`  ${name}  ${sum.links.toLocaleString("en-US")} links, ${sum.versions.toLocaleString("en-US")} versions, sha256 ${sum.digest}`);
    }
  }
  for (const { link, version } of differences) lines.push(`  differs: ${link} version ${version}`);
  return `${lines.join("\n")}\n`;
}
