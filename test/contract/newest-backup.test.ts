import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createHost, type Host } from "../../src/host/start.js";
import type { OperationView } from "../../src/operation/operation.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const indexLink = "/core/document-index";
let host: Host;
let destination: string;

beforeEach(async () => {
  const root = temporaryDirectory();
  destination = pathToFileURL(join(root, "backups")).href;
  host = await createHost({ dataDirectory: join(root, "data"), httpPort: 0, grpcPort: 0 });
});
afterEach(() => host.close());

async function done(begun: Promise<OperationView>): Promise<OperationView> {
  let view = await begun;
  while (!view.done) view = await host.operations.wait(view.name, 10_000);
  if (view.error) throw view.error;
  return view;
}

const write = (name: string) =>
  host.documents.create("/core/examples", JSON.stringify({ name, documentSelfLink: name }));
const names = async () =>
  (await host.documents.list({ factoryPath: "/core/examples", expand: false })).documents.map(
    ({ link }) => link.split("/").at(-1),
  );
const restore = (backupName?: string) =>
  done(
    host.management.restore({
      source: destination,
      indexLink,
      ...(backupName !== undefined && { manifest: backupName }),
    }),
  );
const undo = () => done(host.management.undoRestore({ indexLink }));

async function backup(): Promise<string> {
  const { result } = await done(
    host.management.backup({ destination, container: "DIRECTORY", indexLink, store: false }),
  );
  return result && "backup" in result ? result.backup.name : "";
}

test("after a second restore of an old backup the newest backup is the later one", async () => {
  await write("a");
  const old = await backup();
  await restore(old);
  await write("abandoned");
  await backup();
  await restore(old);
  await backup();
  await restore();
  expect(await names()).toEqual(["a"]);
});

test("after the undo of an undo the newest backup is the later one", async () => {
  await write("a");
  await restore(await backup());
  await write("kept");
  await undo();
  await write("abandoned");
  await backup();
  await undo();
  await backup();
  await restore();
  expect(await names()).toEqual(["a", "kept"]);
});
