import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { eventually } from "./support/eventually.js";
import { parseExposition, type Family } from "./support/exposition.js";
import { hostFixture, type HostFixture } from "./support/host-fixture.js";

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
  panels?: Panel[];
}

/** Runs each kind of run of a policy with a copy: series of policies exist only then. */
async function runPolicy({ host, uri }: HostFixture): Promise<void> {
  await host.policies.create({
    name: "all",
    indexLink: "/core/document-index",
    destination: uri("policy"),
    recipients: [],
    schedule: { kind: "cron", expression: "0 3 1 1 *", timeZone: "UTC" },
    timeZone: "UTC",
    jitterMs: 0,
    copies: [{ destination: uri("copy") }],
    webhooks: [],
    heartbeats: [],
    acknowledge: "LOCAL",
    whenUnreachable: "FAIL",
  });
  for (const kind of ["BACKUP", "VERIFY", "RESTORE_TEST"] as const) {
    const { id } = host.policies.run("all", kind);
    const ended = await eventually(async () => {
      const { runs } = await host.policies.runs("all", 10);
      return runs.find((run) => run.id === id && run.state !== "RUNNING");
    });
    expect(ended).toMatchObject({ kind, state: "SUCCEEDED" });
  }
}

async function scrape(): Promise<Map<string, Family>> {
  const fixture = await hostFixture();
  await fixture.put("a", { n: 1 });
  await fixture.backup("b");
  await runPolicy(fixture);
  const url = `http://127.0.0.1:${fixture.host.httpAddress.port}/metrics`;
  // The second host has the first one among its requests.
  await (await fetch(url)).text();
  return parseExposition(await (await fetch(url)).text());
}

/** Every metric and label of an expression must exist in a scrape. */
function checkExpression(expr: string, families: Map<string, Family>): void {
  const named = [...expr.matchAll(/\b((?:holdfast|process|nodejs)_\w+)/g)].map(
    ([, name = ""]) => name,
  );
  const sampled = new Set(
    [...families].flatMap(([name, { type }]) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
  for (const name of named)
    expect({ expr, name, known: sampled.has(name) }).toEqual({ expr, name, known: true });
  if (/\brate|\bincrease/.test(expr))
    for (const name of named) expect(name).toMatch(/_total$|_bucket$|_sum$|_count$/);
}

test("docs/metrics.md lists exactly the metrics of a scrape, with type and labels", async () => {
  const families = await scrape();
  const rows = [
    ...readFileSync("docs/metrics.md", "utf8").matchAll(
      /^\| `(\w+)` \| (\w+) \| ([\w, ]*) ?\| ([^|]+) \| ([^|]+) \|$/gm,
    ),
  ];
  const documented = rows.map(([, name = "", type = "", labels = ""]) => [
    name,
    type,
    labels.trim(),
  ]);
  const labelsOf = ({ samples }: Family) => {
    const [series = ""] = samples.keys();
    return [...series.matchAll(/(\w+)="/g)]
      .map(([, label = ""]) => label)
      .filter((label) => label !== "le");
  };
  expect(documented.map(([name, type]) => [name, type]).sort()).toEqual(
    [...families].map(([name, { type }]) => [name, type]).sort(),
  );
  for (const [name = "", , labels = ""] of documented) {
    const family = families.get(name);
    if (family && family.samples.size > 0)
      expect({
        name,
        labels: labels
          .split(", ")
          .filter((one) => one !== "")
          .sort(),
      }).toEqual({ name, labels: labelsOf(family).sort() });
  }
  for (const [, name = "", , , unit = ""] of rows) {
    if (name.includes("_seconds"))
      expect({ name, unit }).toEqual({ name, unit: expect.stringMatching(/^seconds/) });
    if (name.includes("_bytes")) expect({ name, unit }).toEqual({ name, unit: "bytes" });
  }
});

test("the dashboard is valid for Grafana and uses existing metrics", async () => {
  const dashboard = JSON.parse(readFileSync("docs/grafana-dashboard.json", "utf8")) as {
    uid: string;
    title: string;
    schemaVersion: number;
    panels: Panel[];
    templating: { list: { name: string }[] };
  };
  const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(panels.length).toBeGreaterThan(15);
  const families = await scrape();
  const cells = new Set<string>();
  for (const { type, title, gridPos, targets = [] } of panels) {
    expect(title).not.toBe("");
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    expect({ title, hasTargets: targets.length > 0 }).toEqual({
      title,
      hasTargets: type !== "row",
    });
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect({ title, overlaps: cells.has(`${x},${y}`) }).toEqual({ title, overlaps: false });
        cells.add(`${x},${y}`);
      }
    }
    for (const { expr } of targets) checkExpression(expr, families);
  }
  const variables = new Set([
    "__rate_interval",
    "__all",
    ...dashboard.templating.list.map(({ name }) => name),
  ]);
  for (const [, name = ""] of JSON.stringify(dashboard).matchAll(/\$\{?(\w+)/g))
    expect(variables).toContain(name);
});

test("the alert rules use existing metrics, and each describes its problem", async () => {
  const { groups } = parse(readFileSync("docs/prometheus-alerts.yaml", "utf8")) as {
    groups: {
      name: string;
      rules: {
        alert: string;
        expr: string;
        for?: string;
        labels: object;
        annotations: { summary: string };
      }[];
    }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  const families = await scrape();
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, expr, annotations } of rules) {
    expect(alert).toMatch(/^Holdfast[A-Z]/);
    expect(annotations.summary).toMatch(/\.$/);
    checkExpression(expr, families);
  }
  const all = rules.map(({ expr }) => expr).join("\n");
  for (const name of [
    "holdfast_backup_age_seconds",
    "holdfast_backup_failing",
    "holdfast_disk_free_bytes",
    "nodejs_eventloop_lag_p99_seconds",
  ])
    expect(all).toContain(name);
});
