import { ask, type ListedRequest } from "../request.js";

const from = { headers: { pragma: "xn-from-migration" } };

/** The requests of a migration task of Xenon to its source and its target. */
export const migrationRequests: readonly ListedRequest[] = [
  ask("the node groups", "GET", "/core/node-groups"),
  ask("the node group", "GET", "/core/node-groups/default"),
  ask("the node selector", "GET", "/core/node-selectors/default"),
  ask("the owner of a link", "POST", "/core/node-selectors/default", { key: "/core/examples" }),
  ask("the owner without a link", "POST", "/core/node-selectors/default", {}),
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
  ask("patch of a migrated document", "PATCH", "/core/examples/migrated", {
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
  ask("put without migration fields", "PUT", "/core/examples/migrated", { name: "put" }),
  ask("patch after a migration", "PATCH", "/core/examples/migrated", { name: "patched" }),
  ask("delete of a migrated document", "DELETE", "/core/examples/migrated", undefined, from),
];
