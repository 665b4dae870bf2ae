import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ServedHost } from "../../support/served-host.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";
import { allows, differencesOf, rowOf } from "./compare.js";
import { allowedDifferences } from "./differences.js";
import { startHoldfast } from "./holdfast-host.js";
import { requests } from "./requests.js";
import { sendRequests, type AskedHost, type Side } from "./send-requests.js";
import { startXenon, xenonTest } from "./xenon-host.js";

/** The targets of requests in {dir}: a directory, a foreign file, and a ZIP without a backup. */
function preparedDirectory(): string {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "a-directory"));
  writeFileSync(join(directory, "a-file"), "not a backup");
  writeFileSync(join(directory, "garbage.zip"), "no ZIP at all");
  return directory;
}

async function xenonSide(): Promise<Side> {
  const [first, second] = await Promise.all([startXenon("host-one"), startXenon("host-two")]);
  return { first, second, directory: preparedDirectory() };
}

async function holdfastSide(): Promise<Side> {
  const start = async (id: string): Promise<AskedHost> => {
    const root = temporaryDirectory();
    let host: ServedHost = await startHoldfast(id, root);
    return {
      get url() {
        return host.url;
      },
      async restart() {
        await host.stop();
        host = await startHoldfast(id, root);
      },
    };
  };
  return {
    first: await start("host-one"),
    second: await start("host-two"),
    directory: preparedDirectory(),
  };
}

xenonTest("the comparison with Xenon, answer by answer")(
  "both hosts answer the same requests alike, except for intended differences",
  async () => {
    expect(new Set(requests.map(({ name }) => name)).size).toBe(requests.length);
    const [xenon, holdfast] = await Promise.all(
      [xenonSide, holdfastSide].map(async (side) => sendRequests(requests, await side())),
    );
    const differences = requests.flatMap(({ name }) =>
      differencesOf(name, xenon!.get(name)!, holdfast!.get(name)!),
    );
    const unexpected = differences.filter(
      (difference) => !allowedDifferences.some((allowed) => allows(allowed, difference)),
    );
    const unused = allowedDifferences.filter(
      (allowed) =>
        !allowed.sometimes && !differences.some((difference) => allows(allowed, difference)),
    );
    console.info(
      `${requests.length} requests, ${differences.length} differences, ${unexpected.length === 0 ? "all" : differences.length - unexpected.length} of them allowed by the ${allowedDifferences.length} rows of the table:\n` +
        allowedDifferences.map(rowOf).join("\n"),
    );
    expect({ unexpected, unused }).toEqual({ unexpected: [], unused: [] });
  },
  240_000,
);
