import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeNumbers, HostError, reasons, type Reason } from "../errors.js";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.js";
import { RequestViolations } from "./policy/violations.js";
import { connectErrorOf, hostErrorOf, statusOf } from "./status.js";

test.each(Object.keys(reasons) as Reason[])(
  "%s keeps its code, reason, message and metadata",
  (reason) => {
    const status = statusOf(
      new HostError(reason, "What, where, what to do.", { metadata: { link: "/a" } }),
    );
    expect(status).toMatchObject({
      code: codeNumbers[reasons[reason]],
      message: "What, where, what to do.",
    });
    const [detail] = status.details;
    expect(detail && anyUnpack(detail, ErrorInfoSchema)).toMatchObject({
      reason,
      domain: "holdfast",
      metadata: { link: "/a" },
    });
  },
);

test("reports field violations as BadRequest", () => {
  const cause = new RequestViolations([
    { field: "a.b", description: "too long", rule: "string.max_bytes" },
  ]);
  const status = statusOf(new HostError("REQUEST_INVALID", "No.", { cause }));
  const detail = status.details[1];
  expect(detail && anyUnpack(detail, BadRequestSchema)).toMatchObject({
    fieldViolations: [{ field: "a.b", description: "too long", reason: "string.max_bytes" }],
  });
});

test("truncates a long message so that it fits into a header", () => {
  expect(
    statusOf(new HostError("REQUEST_INVALID", "x".repeat(100_000))).message.length,
  ).toBeLessThan(3000);
});

test("hides the message of unknown errors and reports them internally", () => {
  const reported: unknown[] = [];
  const foreign = new Error("the password is hunter2");
  const error = hostErrorOf(foreign, (each) => reported.push(each));
  expect(error).toMatchObject({ reason: "INTERNAL" });
  expect(error.message).not.toContain("hunter2");
  expect(reported).toEqual([foreign]);
});

test("does not report errors caused by the client", () => {
  const reported: unknown[] = [];
  hostErrorOf(new HostError("LINK_INVALID", "No."), (each) => reported.push(each));
  expect(reported).toEqual([]);
});

test.each([
  [Code.Unimplemented, "NOT_SUPPORTED"],
  [Code.Canceled, "OPERATION_CANCELLED"],
  [Code.DeadlineExceeded, "DEADLINE"],
  [Code.InvalidArgument, "REQUEST_INVALID"],
  [Code.Unknown, "INTERNAL"],
])("maps the Connect code %s to %s", (code, reason) => {
  expect(hostErrorOf(new ConnectError("text", code))).toMatchObject({ reason });
});

test("creates a ConnectError with the same code and details", () => {
  const error = connectErrorOf(
    new HostError("VERSION_MISMATCH", "Read it again.", { metadata: { version: "3" } }),
  );
  expect(error).toMatchObject({ code: Code.Aborted, rawMessage: "Read it again." });
  expect(error.details).toMatchObject([
    { value: { reason: "VERSION_MISMATCH", metadata: { version: "3" } } },
  ]);
});
