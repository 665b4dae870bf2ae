import { copyFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { HoldfastClient, HoldfastError } from "../../clients/typescript/src/index.js";
import { ByteStreamDefinition } from "../../clients/typescript/src/gen/google/bytestream/bytestream.js";
import { OperationsDefinition } from "../../clients/typescript/src/gen/google/longrunning/operations.js";
import { HealthDefinition } from "../../clients/typescript/src/gen/grpc/health/v1/health.js";
import { DocumentServiceDefinition } from "../../clients/typescript/src/gen/holdfast/document/v1/document.js";
import { ManagementServiceDefinition } from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
import { PolicyServiceDefinition } from "../../clients/typescript/src/gen/holdfast/management/v1/policy.js";
import { cuttingProxy } from "../support/cutting-proxy.js";
import { serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import type { Outcome, Step, World } from "./step.js";
import { steps } from "./typescript-steps.js";

interface Scenario {
  name: string;
  steps: (Step & { expect?: Outcome; error?: string })[];
}
const path = join(process.cwd(), "clients", "scenarios.yaml");
const scenarios = parse(readFileSync(path, "utf8")) as Scenario[];

let world: World;
const called = new Set<string>();
beforeAll(async () => {
  const directory = temporaryDirectory();
  const host = await serve(["--data-dir", join(directory, "data")]);
  const proxy = await cuttingProxy(Number(host.grpc.split(":")[1]));
  const client = new HoldfastClient({ address: proxy.address });
  copyFileSync(path, join(directory, "scenarios.yaml"));
  world = { client: counting(client), proxy, directory, kept: new Map() };
});
afterAll(async () => {
  world.client.close();
  await world.proxy.close();
});

/** Records the calls of each service. */
function counting(client: HoldfastClient): HoldfastClient {
  for (const service of [
    "management",
    "policies",
    "documents",
    "operations",
    "byteStream",
    "health",
  ] as const) {
    const watched = new Proxy(client[service], {
      get(target, name, receiver) {
        called.add(`${service}.${String(name)}`);
        return Reflect.get(target, name, receiver) as unknown;
      },
    });
    Object.defineProperty(client, service, { value: watched });
  }
  return client;
}

// One test for all scenarios, since served-host stops its hosts after each test.
test("the scenarios of both clients", async () => {
  for (const { name, steps: given } of scenarios) {
    for (const [at, { expect: expected = {}, error, ...step }] of given.entries()) {
      const where = `${name}, step ${at + 1}: ${step.do}`;
      const outcome = await run(step, error, where);
      for (const [what, value] of Object.entries(expected))
        check(where, what, resolve(value), outcome);
    }
  }
  const cuts = scenarios.flatMap((one) => one.steps).filter((step) => step["cutAfterBytes"]).length;
  expect(world.proxy.cuts()).toBe(cuts);

  // The other health calls only have to succeed.
  expect((await world.client.health.list({})).statuses["backup"]).toBeDefined();
  for await (const { status } of world.client.health.watch({ service: "" })) {
    expect(status).toBe(1);
    break;
  }
  await world.client.management.shutdown({});

  const definitions = {
    management: ManagementServiceDefinition,
    policies: PolicyServiceDefinition,
    documents: DocumentServiceDefinition,
    operations: OperationsDefinition,
    byteStream: ByteStreamDefinition,
    health: HealthDefinition,
  };
  const all = Object.entries(definitions).flatMap(([service, { methods }]) =>
    Object.keys(methods).map((method) => `${service}.${method}`),
  );
  expect(all.filter((method) => !called.has(method))).toEqual([]);
}, 120_000);

const resolve = (value: unknown): unknown =>
  typeof value === "string" && value.startsWith("$")
    ? (world.kept.get(value.slice(1)) ?? value)
    : value;

async function run(step: Step, error: string | undefined, where: string): Promise<Outcome> {
  const perform = steps[step.do];
  if (!perform) throw new Error(`${where}: unknown step`);
  const resolved = Object.fromEntries(
    Object.entries(step).map(([name, value]) => [name, resolve(value)]),
  ) as Step;
  try {
    const outcome = await perform(world, resolved);
    if (error !== undefined) throw new Error(`${where}: expected ${error}, but it succeeded`);
    return outcome ?? {};
  } catch (thrown) {
    if (error === undefined) throw new Error(`${where}: ${String(thrown)}`, { cause: thrown });
    if (!(thrown instanceof HoldfastError) || thrown.reason !== error)
      throw new Error(`${where}: expected ${error}, received ${String(thrown)}`, { cause: thrown });
    return {};
  }
}

function check(where: string, what: string, expected: unknown, outcome: Outcome): void {
  const found = what === "smallerThan" ? outcome["size"] : outcome[what];
  const good =
    what === "contains"
      ? (found as { includes(value: unknown): boolean }).includes(expected)
      : what === "smallerThan"
        ? Number(found) < statSync(join(world.directory, String(expected))).size
        : found === expected;
  if (!good)
    throw new Error(
      `${where}: expected ${what} to be ${JSON.stringify(expected)}, received ${JSON.stringify(found)}`,
    );
}
