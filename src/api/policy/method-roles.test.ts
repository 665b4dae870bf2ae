import type { DescMethod } from "@bufbuild/protobuf";
import { Operations } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { ManagementService } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { PolicyService } from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import { createAccess } from "../../security/access.js";
import { openTokens } from "../../security/tokens.js";
import { authorizeMethods } from "./method-roles.js";

const refused: string[] = [];
const access = createAccess(
  openTokens(
    "backup-token backup\nrestore-token restore\nread-token read\nwrite-token write\nprune-token prune\n",
  ),
  ({ address }, action, { reason }) => refused.push(`${address} ${action} ${reason}`),
);
const authorizeCaller = authorizeMethods(access);
const authorize = (method: DescMethod, bearerToken: string | undefined) =>
  authorizeCaller(method, { via: "grpc", bearerToken, address: "192.0.2.1" });

test.each(["backup", "restore"])(
  "allows a token that may start a %s to watch and cancel it",
  (role) => {
    const token = `${role}-token`;
    authorize(
      role === "backup" ? ManagementService.method.backup : ManagementService.method.restore,
      token,
    );
    for (const method of [
      Operations.method.getOperation,
      Operations.method.waitOperation,
      Operations.method.listOperations,
      Operations.method.cancelOperation,
    ]) {
      authorize(method, token);
    }
  },
);

test("does not allow the role read to start, cancel or prune, nor anything without a token", () => {
  authorize(Operations.method.getOperation, "read-token");
  for (const token of ["read-token", "write-token"]) {
    for (const method of [
      Operations.method.cancelOperation,
      ManagementService.method.backup,
      ManagementService.method.restore,
      ManagementService.method.pruneBackups,
    ]) {
      expect(() => authorize(method, token)).toThrow(
        expect.objectContaining({ reason: "ROLE_MISSING" }) as Error,
      );
    }
  }
  expect(() => authorize(ManagementService.method.restore, "backup-token")).toThrow(
    expect.objectContaining({ reason: "ROLE_MISSING" }) as Error,
  );
  expect(() => authorize(Operations.method.getOperation, undefined)).toThrow(
    expect.objectContaining({ reason: "TOKEN_MISSING" }) as Error,
  );
  expect(refused.slice(-2)).toEqual([
    "192.0.2.1 Restore ROLE_MISSING",
    "192.0.2.1 GetOperation TOKEN_MISSING",
  ]);
});

test("allows the role backup to run policies and pin backups, and only the role prune to remove", () => {
  const { pinBackup, unpinBackup, pruneBackups, copyBackup } = ManagementService.method;
  const { createPolicy, deletePolicy, pausePolicy } = PolicyService.method;
  const { getPolicy, previewPolicy, runPolicy } = PolicyService.method;
  for (const method of [getPolicy, previewPolicy, runPolicy, pinBackup, copyBackup])
    authorize(method, "backup-token");
  for (const method of [unpinBackup, pruneBackups]) authorize(method, "prune-token");
  const refusedCalls = [
    ...[createPolicy, deletePolicy, pausePolicy, unpinBackup, pruneBackups].map(
      (method) => [method, "backup-token"] as const,
    ),
    ...[createPolicy, runPolicy, pinBackup].map((method) => [method, "prune-token"] as const),
  ];
  for (const [method, token] of refusedCalls)
    expect(() => authorize(method, token)).toThrow(
      expect.objectContaining({ reason: "ROLE_MISSING" }) as Error,
    );
});
