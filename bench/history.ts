import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { productVersion } from "../src/host/product-version.js";
import { ratios } from "./table.js";

const here = import.meta.dirname ?? __dirname;
const directory = join(here, "history");

/** The ratios of one release, as the quick bench measured them. */
interface Release {
  version: string;
  date: string;
  node: string;
  cpus: string;
  loadAverage: string;
  ratios: Record<string, number>;
}

/** Stores the ratios that were measured, under the version of the package; those of the same version are replaced. */
export function saveRatios(): void {
  const release: Release = {
    version: productVersion,
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cpus: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
    loadAverage: loadavg()
      .map((one) => one.toFixed(1))
      .join(" "),
    ratios: Object.fromEntries(ratios().map(({ work, ratio }) => [work, ratio])),
  };
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${productVersion}.json`);
  writeFileSync(path, `${JSON.stringify(release, undefined, 2)}\n`);
  console.log(`\nStored in bench/history/${productVersion}.json.`);
}

/** Versions with stored ratios, the newest last. */
function versions(): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .flatMap((name) => /^(.*)\.json$/.exec(name)?.[1] ?? [])
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

function read(version: string): Release {
  if (!versions().includes(version))
    throw new Error(`bench/history has no ${version}, but ${versions().join(", ") || "nothing"}`);
  return JSON.parse(readFileSync(join(directory, `${version}.json`), "utf8")) as Release;
}

/** Prints the ratios that were measured beside those of a release. Default: the newest that is stored. */
export function printChanges(version = versions().at(-1)): void {
  if (version === undefined) return console.log("\nNo release is stored; --save stores this one.");
  const now = Object.fromEntries(ratios().map(({ work, ratio }) => [work, ratio]));
  printComparison(read(version), { version: "now", ratios: now });
}

/** Prints the ratios of two releases side by side. Defaults: the two newest. */
export function compareReleases(
  from = versions().at(-2) ?? versions().at(-1),
  to = versions().at(-1),
): void {
  if (from === undefined || to === undefined)
    return console.log("No release is stored; npm run bench -- quick --save stores one.");
  printComparison(read(from), read(to));
}

type Ratios = Pick<Release, "version" | "ratios">;

function printComparison(from: Ratios, to: Ratios): void {
  console.log(`\n| work | ${from.version} | ${to.version} | change |\n|---|---|---|---|`);
  for (const work of new Set([...Object.keys(from.ratios), ...Object.keys(to.ratios)])) {
    const [before, after] = [from.ratios[work], to.ratios[work]];
    const change =
      before === undefined || after === undefined
        ? ""
        : `${after >= before ? "+" : ""}${((after / before - 1) * 100).toFixed(0)} %`;
    console.log(`| ${work} | ${before ?? ""} | ${after ?? ""} | ${change} |`);
  }
}
