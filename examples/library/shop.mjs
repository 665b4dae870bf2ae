// @ts-check
// Runs a host in this process: writes documents, backs them up, loses some, and restores them to a point in time.
// In a project with holdfast installed: node shop.mjs DIRECTORY
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createHost, HostError } from "holdfast";

const directory = resolve(process.argv[2] ?? "shop");
const indexLink = "/core/document-index";

const host = await createHost({
  dataDirectory: directory,
  id: "shop",
  httpPort: 0,
  grpcPort: 0,
  factories: [{ path: "/shop/orders", kind: "example:order", indexLink }],
});

/** Waits for an operation and returns its result; throws what it failed with. @param {Promise<import("holdfast").OperationView>} started */
async function finished(started) {
  const view = await host.operations.wait((await started).name, 60_000);
  if (view.error) throw view.error;
  return view.result;
}

try {
  const { host: address, port } = host.httpAddress;
  console.log(`serving http://${address}:${port}/shop/orders`);

  const order = await host.documents.create(
    "/shop/orders",
    JSON.stringify({ documentSelfLink: "1", item: "rope", metres: 20 }),
  );
  const changed = await host.documents.patch(order.link, JSON.stringify({ metres: 30 }), {
    expectedVersion: order.version,
  });
  await host.documents
    .patch(order.link, JSON.stringify({ metres: 40 }), { expectedVersion: order.version })
    .catch((error) => {
      // Somebody else was first: read again, decide again.
      if (!(error instanceof HostError) || error.reason !== "VERSION_MISMATCH") throw error;
      console.log(`refused: ${error.reason}`);
    });

  const backups = pathToFileURL(join(directory, "..", "shop-backups")).href;
  await host.documents.delete(order.link);
  await finished(
    host.management.backup({ destination: backups, container: "DIRECTORY", indexLink }),
  );
  console.log(`backed up to ${backups}`);

  // Every version up to the last change, and not the deletion after it.
  await finished(
    host.management.restore({
      source: backups,
      indexLink,
      targetTimeMicros: BigInt(changed.updateTimeMicros),
    }),
  );
  const restored = await host.documents.get(order.link);
  console.log(`restored ${restored.link}: ${JSON.parse(restored.body).metres} metres`);
} finally {
  await host.close();
}
