import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { PolicyRunSchema, PolicyRunState } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { errorOfRun } from "./policy-run-result.js";

const errorOf = (run: MessageInitShape<typeof PolicyRunSchema>) =>
  errorOfRun(create(PolicyRunSchema, { id: "1", policy: "nightly", ...run }));

test("a run that succeeded or is under way has no error", () => {
  expect(errorOf({ state: PolicyRunState.SUCCEEDED })).toBeUndefined();
  expect(errorOf({ state: PolicyRunState.RUNNING })).toBeUndefined();
});

test("a failed run has the reason of its first failed step", () => {
  expect(
    errorOf({
      state: PolicyRunState.FAILED,
      steps: [
        { kind: "backup", destination: "file:///b" },
        {
          kind: "copy",
          destination: "s3://user@bucket/c",
          error: "It is down.",
          errorReason: "DESTINATION_UNREACHABLE",
        },
        { kind: "copy", destination: "file:///d", error: "Full.", errorReason: "NO_SPACE" },
      ],
    }),
  ).toMatchObject({
    reason: "DESTINATION_UNREACHABLE",
    message: expect.stringMatching(
      /^The copy step .* at s3:\/\/bucket\/c failed: It is down\. 1 more/,
    ),
    metadata: { run: "1", policy: "nightly" },
  });
});

test("a reason that this release does not know is an internal error", () => {
  const steps = [{ kind: "backup", error: "New.", errorReason: "OF_THE_FUTURE" }];
  expect(errorOf({ state: PolicyRunState.FAILED, steps })).toMatchObject({ reason: "INTERNAL" });
  expect(errorOf({ state: PolicyRunState.FAILED })).toMatchObject({ reason: "INTERNAL" });
});

test("an interrupted run says that the host stopped", () => {
  expect(errorOf({ state: PolicyRunState.INTERRUPTED })).toMatchObject({
    reason: "SHUTTING_DOWN",
    message: expect.stringContaining("holdfast policy run nightly"),
  });
});
