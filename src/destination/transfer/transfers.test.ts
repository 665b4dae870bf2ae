import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { eventually } from "../../../test/support/eventually.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { systemPlatform } from "../../io/platform.js";
import { Transfers } from "./transfers.js";

let transfers: Transfers;

beforeEach(async () => {
  const { files } = systemPlatform;
  const remove = async (path: string) => {
    // Leaves time for another upload during the removal.
    await sleep(20);
    await files.remove(path);
  };
  transfers = await Transfers.open(
    { ...systemPlatform, files: { ...files, remove } },
    join(temporaryDirectory(), "transfers"),
    { maxCount: 10, maxBytes: 1e9, leaseMs: 60_000 },
    (error) => {
      throw error;
    },
  );
});
afterEach(() => transfers.close());

test.each<[string, Uint8Array, (name: string) => Promise<void>]>([
  ["that is empty", Buffer.alloc(0), async () => {}],
  ["that is deleted", Buffer.from("old"), (name) => transfers.delete(name)],
])(
  "starts a new upload while an upload of the same name %s is removed",
  async (_what, bytes, remove) => {
    const old = await transfers.openUpload("a");
    await old.write(0, bytes);
    const closed = old.close();
    const removed = remove("a");
    // The removal has started: the upload is not listed any more.
    await eventually(() => transfers.list().length === 0);
    const writer = await transfers.openUpload("a");
    await writer.write(0, Buffer.from("new"));
    await writer.finish({ sizeBytes: 3 });
    await writer.close();
    await Promise.all([closed, removed]);
    expect(transfers.get("a")).toMatchObject({ complete: true, committedBytes: 3 });
    transfers.hold("a").release();
  },
);
