import { limits } from "../../limits.js";
import type { Client } from "../../security/clients.js";
import { createClientShares } from "./client-shares.js";
import type { OperationView } from "../../operation/operation.js";

const client = (key: string, admin = false): Client => ({ key, authenticated: true, admin });
const [one, two, boss] = [client("token 1"), client("token 2"), client("token 3", true)];

test("limits the running operations of a token, and reserves one for admins", async () => {
  const ends = new Map<string, () => void>();
  const shares = createClientShares({
    wait: (name) =>
      new Promise((resolve) =>
        ends.set(name, () => resolve({ name, done: true } as OperationView)),
      ),
  });
  let made = 0;
  const start = (who: Client, name = `operations/${(made += 1)}`) =>
    shares.operation(who, async () => ({ name, done: false }));
  for (let i = 0; i < limits.operationsPerClient; i++) await start(one);
  await expect(start(one)).rejects.toMatchObject({
    reason: "OPERATION_LIMIT",
    message: expect.stringContaining("this token") as string,
  });
  while (made < limits.runningOperations) await start(two);
  await expect(start(two)).rejects.toMatchObject({ reason: "OPERATION_LIMIT" });
  await start(boss);
  await expect(start(boss)).rejects.toMatchObject({ reason: "OPERATION_LIMIT" });
  for (const name of ["operations/1", "operations/2", "operations/3"]) ends.get(name)?.();
  await new Promise((resolve) => setImmediate(resolve));
  // The same operation returned for a repeated request ID counts once.
  for (let i = 0; i < 5; i++) await start(one, "operations/again");
  await expect(
    shares.operation(one, () => Promise.reject(new Error("not begun"))),
  ).rejects.toThrow();
  const stream = shares.stream(one);
  await expect(start(one)).rejects.toMatchObject({ reason: "OPERATION_LIMIT" });
  expect(() => shares.stream(one)).toThrow(
    expect.objectContaining({ reason: "OPERATION_LIMIT" }) as Error,
  );
  stream.release();
  stream.release();
  shares.stream(one).release();
});

test("limits the file services of a token, and releases deleted ones", async () => {
  const shares = createClientShares({ wait: () => Promise.reject(new Error("unused")) });
  const links = new Set<string>();
  const create = (who: Client, link: string) =>
    shares.fileService(
      who,
      () => links,
      async () => {
        links.add(link);
        return { link };
      },
    );
  for (let i = 0; i < limits.fileServicesPerClient; i++) await create(one, `/local-files/${i}`);
  await expect(create(one, "/local-files/x")).rejects.toMatchObject({ reason: "TRANSFER_LIMIT" });
  await create(two, "/local-files/y");
  links.delete("/local-files/0");
  await create(one, "/local-files/x");
});
