import type { AllowedDifference } from "../compare.js";

const groups = /^the (node group|node selector|owner of a link)$/;
const migrated =
  /^(post of a migration|p(atch|ut) .*migra.*|patch after a migration|delete of a migrated document)$/;
const other = "Different services with different options.";

export const migrationDifferences: readonly AllowedDifference[] = [
  {
    request: groups,
    field: /documentVersion$/,
    xenon: /^[12]$/,
    holdfast: 0,
    why: "Membership of Holdfast never changes, so it has one version.",
  },
  {
    request: "the node group",
    field: "body.lastChanges",
    xenon: ["PEER_STATUS_CHANGE"],
    holdfast: [],
    why: "As above.",
  },
  {
    request: "the node group",
    field: "body.documentUpdateAction",
    xenon: "PATCH",
    holdfast: undefined,
    why: "As above.",
  },
  {
    request: groups,
    field: "body.documentAuthPrincipalLink",
    xenon: "/core/authz/system-user",
    holdfast: undefined,
    why: "Holdfast has no system user that writes it.",
  },
  {
    request: "the node selector",
    field: "body.membershipQuorum",
    xenon: 0,
    holdfast: 1,
    why: "In Xenon it covers all members; Holdfast has one.",
  },
  {
    request: "the owner without a link",
    field: "body.message",
    xenon: "key or targetPath is required",
    holdfast: "key is required",
    why: "Holdfast forwards no requests, so it rejects a targetPath.",
  },
  {
    request: "the configuration of a factory",
    field: /^body\.(childOptions|options)$/,
    xenon: /PERSISTENCE/,
    holdfast: /CONCURRENT_GET_HANDLING/,
    why: other,
  },
  {
    request: /^the (configuration of a factory|template of a document)$/,
    field: /\.versionRetention(Limit|Floor)$/,
    xenon: /^\d+$/,
    holdfast: /^(2147483646|10000)$/,
    why: "Versions are compacted by age; 10,000 are kept regardless.",
  },
  {
    request: "the statistics of a factory",
    field: /^body\.entries\./,
    xenon: /./,
    holdfast: undefined,
    why: "Statistics of services of the JVM and of synchronization.",
  },
  {
    request: "the statistics of a factory",
    field: /^body\.entries\.isAvailable\./,
    xenon: /^\d+$/,
    holdfast: /^\d+$/,
    why: "The number of updates by Xenon.",
    sometimes: true,
  },
  {
    request: "the template of a document",
    field: /^body\.(?!documentDescription\b)/,
    xenon: /./,
    holdfast: undefined,
    why: "Kinds declare no fields, so they have no examples.",
  },
  {
    request: "the template of a document",
    field: /^body\.documentDescription\./,
    xenon: /./,
    holdfast: undefined,
    why: "As above.",
  },
  {
    request: "the template of a document",
    field: "body.documentDescription.serviceCapabilities",
    xenon: /PERSISTENCE/,
    holdfast: [],
    why: other,
  },
  {
    request: "the template of a document",
    field: "body.documentDescription.serializedStateSizeLimit",
    xenon: 32_768,
    holdfast: 16_777_216,
    why: "The size limit of a document in Holdfast.",
  },
  {
    request: migrated,
    field: "body.documentVersion",
    xenon: /^(7|8|9|10|11|12)$/,
    holdfast: /^[0-5]$/,
    why: "Versions of a document count from 0 without gaps; holdfast import keeps Xenon's numbers.",
  },
];
