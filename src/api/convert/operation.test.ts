import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import {
  OperationKind,
  OperationMetadataSchema,
  RestoreResultSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import type { OperationView } from "../../operation/operation.js";
import { toOperation } from "./operation.js";

const view: OperationView = {
  name: "operations/1",
  kind: "restore",
  indexLink: "/core/document-index",
  target: "file:/backups",
  startTimeMicros: 1_000_000,
  progress: {
    stage: "building",
    bytesDone: 25,
    bytesTotal: 100,
    documentsDone: 1,
    documentsTotal: 4,
    warnings: ["w"],
  },
  done: false,
};
const conversion = {
  statusOf: (error: HostError) => create(StatusSchema, { code: 3, message: error.message }),
  nowMicros: () => 2_000_000,
};
const metadataOf = (each: OperationView) => {
  const { metadata } = toOperation(each, conversion);
  return metadata && anyUnpack(metadata, OperationMetadataSchema);
};

test("reports rate and remaining time of a running operation", () => {
  expect(metadataOf(view)).toMatchObject({
    kind: OperationKind.RESTORE,
    stage: "building",
    bytesPerSecond: 25,
    remainingMicros: 3_000_000n,
    warnings: ["w"],
  });
  expect(toOperation(view, conversion)).toMatchObject({ done: false, result: { case: undefined } });
});

test("omits the remaining time if the total is unknown", () => {
  const progress = { ...view.progress, bytesDone: 0 };
  expect(metadataOf({ ...view, progress })?.remainingMicros).toBeUndefined();
  expect(
    metadataOf({ ...view, progress: { ...progress, bytesDone: 5, bytesTotal: 0 } })
      ?.remainingMicros,
  ).toBeUndefined();
});

test("includes the result or the error of a finished operation", () => {
  const done = { ...view, done: true, endTimeMicros: 3_000_000 };
  const outcome = {
    indexLink: "/core/document-index",
    lineage: "l",
    documents: 1,
    versions: 2,
    positionMicros: 3,
    warnings: [],
  };
  const { result } = toOperation({ ...done, result: outcome }, conversion);
  expect(result.case === "response" && anyUnpack(result.value, RestoreResultSchema)).toMatchObject({
    lineage: "l",
    versions: 2n,
  });
  const failed = toOperation(
    { ...done, error: new HostError("BACKUP_DAMAGED", "Backup damaged.") },
    conversion,
  );
  expect(failed.result).toMatchObject({ case: "error", value: { message: "Backup damaged." } });
  expect(metadataOf(done)).toMatchObject({ endTimeMicros: 3_000_000n, bytesPerSecond: 12.5 });
});

test("reports a validate-only operation as done without a result", () => {
  expect(toOperation({ ...view, done: true }, conversion)).toMatchObject({
    done: true,
    result: { case: undefined },
  });
});

test("rejects numbers that are not safe integers", () => {
  expect(() => metadataOf({ ...view, startTimeMicros: 2 ** 53 })).toThrow(RangeError);
});
