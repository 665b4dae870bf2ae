import type { AllowedDifference } from "../compare.js";

const groups = /^the (node group|node selector|owner of a link)$/;
const migrated =
  /^(post of a migration|p(atch|ut) .*migra.*|patch after that|delete of what was migrated)$/;
const other = "They are other services, with other options.";

export const migrationDifferences: readonly AllowedDifference[] = [
  {
    request: groups,
    field: /documentVersion$/,
    xenon: /^[12]$/,
    ours: 0,
    why: "Membership does not change here, so it has one version.",
  },
  {
    request: "the node group",
    field: "body.lastChanges",
    xenon: ["PEER_STATUS_CHANGE"],
    ours: [],
    why: "As above.",
  },
  {
    request: "the node group",
    field: "body.documentUpdateAction",
    xenon: "PATCH",
    ours: undefined,
    why: "As above.",
  },
  {
    request: groups,
    field: "body.documentAuthPrincipalLink",
    xenon: "/core/authz/system-user",
    ours: undefined,
    why: "No user of the host's own wrote it.",
  },
  {
    request: "the node selector",
    field: "body.membershipQuorum",
    xenon: 0,
    ours: 1,
    why: "Xenon's stands for all members; here there is one.",
  },
  {
    request: "the owner of nothing",
    field: "body.message",
    xenon: "key or targetPath is required",
    ours: "key is required",
    why: "Nothing is forwarded, so a targetPath is refused.",
  },
  {
    request: "the configuration of a factory",
    field: /^body\.(childOptions|options)$/,
    xenon: /PERSISTENCE/,
    ours: /CONCURRENT_GET_HANDLING/,
    why: other,
  },
  {
    request: /^the (configuration of a factory|template of a document)$/,
    field: /\.versionRetention(Limit|Floor)$/,
    xenon: /^\d+$/,
    ours: /^(2147483646|10000)$/,
    why: "Versions go by age; 10,000 are kept whatever theirs.",
  },
  {
    request: "the statistics of a factory",
    field: /^body\.entries\./,
    xenon: /./,
    ours: undefined,
    why: "Of the JVM's services and of synchronization.",
  },
  {
    request: "the statistics of a factory",
    field: /^body\.entries\.isAvailable\./,
    xenon: /^\d+$/,
    ours: /^\d+$/,
    why: "How often Xenon has set it.",
    sometimes: true,
  },
  {
    request: "the template of a document",
    field: /^body\.(?!documentDescription\b)/,
    xenon: /./,
    ours: undefined,
    why: "Kinds have no fields that are declared, so no examples of them.",
  },
  {
    request: "the template of a document",
    field: /^body\.documentDescription\./,
    xenon: /./,
    ours: undefined,
    why: "As above.",
  },
  {
    request: "the template of a document",
    field: "body.documentDescription.serviceCapabilities",
    xenon: /PERSISTENCE/,
    ours: [],
    why: other,
  },
  {
    request: "the template of a document",
    field: "body.documentDescription.serializedStateSizeLimit",
    xenon: 32_768,
    ours: 16_777_216,
    why: "The bound of a document here.",
  },
  {
    request: migrated,
    field: "body.documentVersion",
    xenon: /^(7|8|9|10|11|12)$/,
    ours: /^[0-5]$/,
    why: "Versions of a document count from 0 without gaps; holdfast import keeps Xenon's numbers.",
  },
];
