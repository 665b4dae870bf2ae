import { ask, type ListedRequest } from "../request.js";

const from = { headers: { pragma: "xn-from-migration" } };

/** What Xenon's migration task asks of the host that it reads from, and of the one that it writes to. */
export const migrationRequests: readonly ListedRequest[] = [
  ask("the node groups", "GET", "/core/node-groups"),
  ask("the node group", "GET", "/core/node-groups/default"),
  ask("the node selector", "GET", "/core/node-selectors/default"),
  ask("the owner of a link", "POST", "/core/node-selectors/default", { key: "/core/examples" }),
  ask("the owner of nothing", "POST", "/core/node-selectors/default", {}),
  ask("put of the node selector", "PUT", "/core/node-selectors/default", {}),
  ask("the configuration of a factory", "GET", "/core/examples/config"),
  ask("the statistics of a factory", "GET", "/core/examples/stats"),
  ask(
    "post of a migration",
    "POST",
    "/core/examples",
    {
      documentSelfLink: "/migrated",
      name: "m",
      documentVersion: 7,
      documentUpdateTimeMicros: 1_700_000_000_000_001,
    },
    from,
  ),
  ask("the template of a document", "GET", "/core/examples/migrated/template"),
  ask("patch of what was migrated", "PATCH", "/core/examples/migrated", {
    name: "mm",
    isFromMigration: false,
  }),
  ask(
    "post again of a migration",
    "POST",
    "/core/examples",
    { documentSelfLink: "/migrated", name: "m" },
    from,
  ),
  ask(
    "put of a migration",
    "PUT",
    "/core/examples/migrated",
    { name: "put", isFromMigration: true },
    from,
  ),
  ask("put that says nothing of a migration", "PUT", "/core/examples/migrated", { name: "put" }),
  ask("patch after that", "PATCH", "/core/examples/migrated", { name: "patched" }),
  ask("delete of what was migrated", "DELETE", "/core/examples/migrated", undefined, from),
];
