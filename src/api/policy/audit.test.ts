import { create } from "@bufbuild/protobuf";
import { ByteStream } from "../../../gen/ts/google/bytestream/bytestream_pb.js";
import { Operations } from "../../../gen/ts/google/longrunning/operations_pb.js";
import {
  DocumentService,
  ImportDocumentsRequestSchema,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import {
  BackupRequestSchema,
  ConfigureAutoBackupRequestSchema,
  DiffBackupsRequestSchema,
  ManagementService,
  PruneBackupsRequestSchema,
  RestoreRequestSchema,
  StreamRestoreRequestSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import {
  CreatePolicyRequestSchema,
  PolicyService,
  RunPolicyRequestSchema,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import { auditedMethods, subjectOf } from "./audit.js";

test("audits every method except reads and writes of single documents", () => {
  const methods = [
    DocumentService,
    ManagementService,
    PolicyService,
    ByteStream,
    Operations,
  ].flatMap(({ methods: all, typeName }) => all.map(({ name }) => `${typeName}.${name}`));
  expect([...auditedMethods].filter((name) => !methods.includes(name))).toEqual([]);
  expect(
    methods
      .filter((name) => !auditedMethods.has(name))
      .map((name) => name.split(".").at(-1))
      .sort(),
  ).toEqual([
    ...[
      "CompareDocumentVersions",
      "CreateDocument",
      "ExportDocuments",
      "GetActivity",
      "GetDocument",
      "GetDocumentVersion",
      "GetHost",
      "GetOperation",
      "GetPolicy",
      "GetStats",
      "GetTransfer",
    ],
    ...[
      "ListDeliveries",
      "ListDocumentVersions",
      "ListDocuments",
      "ListOperations",
      "ListPolicies",
      "ListPolicyRuns",
      "ListTransfers",
      "PatchDocument",
      "PreviewPolicy",
      "QueryWriteStatus",
      "ReplaceDocument",
      "WaitOperation",
      "WatchOperation",
    ],
  ]);
});

test.each([
  [
    create(BackupRequestSchema, {
      destination: "https://user:secret@store.test/a?sig=secret",
      bearer: "secret",
      indexLink: "/core/document-index",
    }),
    "https://store.test/a /core/document-index",
  ],
  [
    create(RestoreRequestSchema, { source: "file:///backups", backupName: "m1", bearer: "secret" }),
    "file:///backups m1",
  ],
  [
    create(PruneBackupsRequestSchema, { uri: "file:///backups", names: ["m1", "m2"] }),
    "file:///backups m1 m2",
  ],
  [
    create(DiffBackupsRequestSchema, {
      from: { uri: "file:///a", bearer: "secret" },
      to: { indexLink: "/core/document-index" },
    }),
    "file:///a /core/document-index",
  ],
  [
    create(StreamRestoreRequestSchema, {
      message: { case: "header", value: { transferName: "transfers/up" } },
    }),
    "transfers/up",
  ],
  [
    create(ImportDocumentsRequestSchema, {
      message: { case: "header", value: { factoryLink: "/core/examples" } },
    }),
    "/core/examples",
  ],
  [
    create(ImportDocumentsRequestSchema, {
      message: { case: "document", value: Buffer.from("{}") },
    }),
    undefined,
  ],
  [create(ConfigureAutoBackupRequestSchema, { enabled: true }), "enabled=true"],
  [
    create(CreatePolicyRequestSchema, {
      policy: {
        name: "nightly",
        destination: "https://user:secret@store.test/a?sig=secret",
        notify: { webhooks: [{ url: "https://hooks.test/secret", secret: "whsec_secret" }] },
      },
    }),
    "https://store.test/a nightly",
  ],
  [create(RunPolicyRequestSchema, { name: "nightly" }), "nightly"],
])("returns the subject without secrets: %#", (message, subject) => {
  expect(subjectOf(message)).toBe(subject);
});
