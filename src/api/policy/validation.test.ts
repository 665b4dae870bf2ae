import { create } from "@bufbuild/protobuf";
import {
  BackupRequestSchema,
  PruneBackupsRequestSchema,
  type Container,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { bearerTokenOf } from "./authorization.js";
import { createValidate } from "./validation.js";
import { RequestViolations } from "./violations.js";

const validate = createValidate();

test("accepts a valid message", async () => {
  const good = create(BackupRequestSchema, { destination: "file:/x", requestId: "a-1" });
  await validate(BackupRequestSchema, good);
  await validate(BackupRequestSchema, good);
});

test("reports each violation with its field", async () => {
  const message = create(BackupRequestSchema, {
    destination: "",
    container: 42 as Container,
    indexLink: "é".repeat(513),
    requestId: "a b",
  });
  try {
    await validate(BackupRequestSchema, message);
    throw new Error("the message was accepted");
  } catch (error) {
    expect(error).toMatchObject({ reason: "REQUEST_INVALID", metadata: { field: "destination" } });
    const { cause } = error as { cause: RequestViolations };
    expect(cause).toBeInstanceOf(RequestViolations);
    expect(cause.violations.map(({ field }) => field)).toEqual([
      "destination",
      "container",
      "index_link",
      "request_id",
    ]);
  }
});

test("reports at most twenty fields", async () => {
  try {
    await validate(
      PruneBackupsRequestSchema,
      create(PruneBackupsRequestSchema, { uri: "x", names: Array.from({ length: 100 }, () => "") }),
    );
    throw new Error("the message was accepted");
  } catch (error) {
    expect((error as { cause: RequestViolations }).cause.violations).toHaveLength(20);
    expect(String(error)).toContain("99 more");
  }
});

test.each([
  ["Bearer abc", "abc"],
  ["bearer  abc ", "abc"],
  ["Basic abc", undefined],
  ["Bearer", undefined],
  ["Bearer a b", undefined],
  [undefined, undefined],
])("parses the token of %s as %s", (header, token) => expect(bearerTokenOf(header)).toBe(token));
