// The arrows of ARCHITECTURE.md as a lint rule: which folder of src may import which, and which packages live where.
import { dirname, relative, resolve, sep } from "node:path";

const root = resolve(import.meta.dirname, "..");

/**
 * Each part of src and the parts it may import; itself and errors, limits always. `types` may be imported as types
 * only. The longest matching name counts, so engine/sqlite is a part of its own.
 */
const arrows = {
  "errors.ts": {},
  "limits.ts": {},
  io: {},
  document: {},
  security: {},
  encryption: { parts: ["io"] },
  signature: { parts: ["io"] },
  engine: { types: ["document", "io"] },
  "engine/registry.ts": { parts: ["engine/sqlite", "engine/postgres"], types: ["engine", "io"] },
  "engine/copy": { parts: ["engine", "segment", "io"] },
  "engine/filter": { parts: ["document", "segment", "io"] },
  "engine/sqlite": {
    parts: ["engine", "engine/copy", "engine/filter", "segment", "document", "io"],
  },
  "engine/postgres": {
    parts: ["engine", "engine/copy", "engine/filter", "segment", "document", "io"],
  },
  segment: { parts: ["document", "io", "gen"], types: ["engine"] },
  encoding: { parts: ["encryption", "io"], types: ["segment"] },
  destination: { parts: ["security", "io"], types: ["segment"] },
  container: { parts: ["destination", "encoding", "segment", "io"], types: ["engine"] },
  store: { parts: ["io"], types: ["engine", "document"] },
  backup: {
    parts: ["container", "destination", "encoding", "signature", "segment", "document", "io"],
    types: ["engine", "store"],
  },
  "backup/retention.ts": {},
  policy: { parts: ["security"], types: ["backup", "segment"] },
  notification: { parts: ["destination", "security", "io"] },
  operation: { parts: ["io"], types: ["backup"] },
  stats: {},
  service: {
    parts: [
      "operation",
      "policy",
      "notification",
      "backup",
      "container",
      "destination",
      "segment",
      "stats",
      "store",
      "document",
      "security",
      "io",
    ],
    types: ["encoding", "engine"],
  },
  metrics: { parts: ["service"], types: ["operation", "policy", "backup", "stats", "engine"] },
  api: {
    parts: ["service", "policy", "document", "security", "gen"],
    types: [
      "encoding",
      "operation",
      "notification",
      "backup",
      "destination",
      "segment",
      "engine",
      "stats",
    ],
  },
  transport: { parts: ["api", "service", "destination", "document", "security", "io", "gen"] },
  xenon: {
    parts: [
      "transport",
      "api",
      "service",
      "container",
      "destination",
      "segment",
      "document",
      "security",
      "io",
    ],
    types: ["operation", "backup", "engine", "stats"],
  },
  forward: { parts: ["client", "transport", "api", "gen"], types: ["engine"] },
  host: { parts: ["*"] },
  offline: { parts: ["*"] },
  client: { parts: ["gen"] },
  cli: { parts: ["client", "offline", "host", "backup/retention.ts", "encryption", "io", "gen"] },
  "index.ts": {
    parts: ["host"],
    types: ["service", "operation", "policy", "backup", "destination", "segment", "document"],
  },
};

/** Packages that only some parts may import; `types` may import their types. */
const packages = [
  {
    name: /^better-sqlite3$/,
    parts: ["engine/sqlite", "engine/filter", "engine/postgres", "segment"],
    files: ["io/directory-lock.ts"],
  },
  { name: /^pg(-copy-streams)?$/, parts: ["engine/postgres"] },
  { name: /^@grpc\//, parts: ["transport"] },
  {
    name: /^@connectrpc\//,
    parts: ["api", "transport", "forward", "client"],
    types: ["offline", "cli"],
  },
  {
    name: /^@bufbuild\//,
    parts: ["api", "transport", "forward", "segment", "client", "cli"],
    files: ["offline/messages.ts", "host/policy-file.ts"],
  },
  { name: /^@aws-sdk\//, parts: ["destination"] },
  { name: /^age-encryption$/, parts: ["encryption"] },
  { name: /^(archiver|compress-commons|unzipper)$/, parts: ["container"] },
  { name: /^(commander|pino|pino-pretty|cli-progress|cli-table3)$/, parts: ["cli"] },
  { name: /^croner$/, parts: ["policy"] },
  { name: /^standardwebhooks$/, parts: ["notification"] },
  { name: /^prom-client$/, parts: ["metrics"] },
  { name: /^yaml$/, files: ["host/config.ts", "host/policy-file.ts", "cli/connect/profiles.ts"] },
];

const leaves = ["errors.ts", "limits.ts"];

/** The part of src that a path relative to the root belongs to; gen is a part too, other places are none. */
function partOf(path) {
  if (path.startsWith("gen/")) return "gen";
  if (!path.startsWith("src/")) return undefined;
  const inner = path.slice("src/".length);
  return (
    Object.keys(arrows)
      .filter((name) => inner === name || inner.startsWith(`${name}/`))
      .sort((a, b) => b.length - a.length)[0] ?? inner
  );
}

function problemOf(file, source, isType) {
  const from = partOf(file);
  if (from === undefined || from === "gen") return undefined;
  if (!source.startsWith(".")) {
    const inner = file.slice("src/".length);
    const rule = packages.find(({ name }) => name.test(source));
    if (
      !rule ||
      rule.parts?.includes(from) ||
      rule.files?.includes(inner) ||
      (isType && rule.types?.includes(from))
    )
      return undefined;
    return `${source} may not be imported in src/${from}; it belongs to ${[...(rule.parts ?? []), ...(rule.files ?? [])].join(", ")}.`;
  }
  const target = relative(root, resolve(root, dirname(file), source))
    .split(sep)
    .join("/")
    .replace(/\.js$/, ".ts");
  const to = partOf(target);
  if (to === undefined) return `src may not import ${target}.`;
  const arrow = arrows[from];
  if (arrow === undefined)
    return `src/${from} has no place in the architecture yet: give it its arrows in eslint/architecture.mjs.`;
  if (to === from || leaves.includes(to) || arrow.parts?.includes(to) || arrow.parts?.includes("*"))
    return undefined;
  if (arrow.types?.includes(to))
    return isType ? undefined : `src/${from} may import types alone from src/${to}.`;
  return `src/${from} may not import src/${to}: the arrows of ARCHITECTURE.md point the other way.`;
}

/** True where nothing of the import is left at run time. */
const typesOnly = (node) =>
  node.importKind === "type" ||
  node.exportKind === "type" ||
  (node.specifiers?.length > 0 &&
    node.specifiers.every((one) => one.importKind === "type" || one.exportKind === "type"));

const arrowsRule = {
  meta: {
    type: "problem",
    schema: [],
    docs: { description: "imports follow the arrows of the architecture" },
  },
  create(context) {
    const file = relative(root, context.filename).split(sep).join("/");
    const check = (node, source, isType) => {
      if (typeof source?.value !== "string") return;
      const message = problemOf(file, source.value, isType);
      if (message) context.report({ node, message });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source, typesOnly(node)),
      ExportNamedDeclaration: (node) => check(node, node.source, typesOnly(node)),
      ExportAllDeclaration: (node) => check(node, node.source, typesOnly(node)),
      ImportExpression: (node) => check(node, node.source, false),
      TSImportType: (node) => check(node, node.source ?? node.argument?.literal, true),
    };
  },
};

export default { rules: { arrows: arrowsRule } };
