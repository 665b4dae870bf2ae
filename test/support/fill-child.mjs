// Writes documents until the disk refuses, then says as JSON what was acknowledged and how the rest was refused.
import { createHost } from "../../dist/src/host/start.js";

const dataDirectory = process.argv[2];
const indexLink = "/core/document-index";
const host = await createHost({
  dataDirectory,
  httpPort: 0,
  grpcPort: 0,
  factories: [{ path: "/things", kind: "test:kind", indexLink }],
});
const acknowledged = [];
const refused = {};
for (let i = 0; i < 400; i += 1) {
  const body = JSON.stringify({ documentSelfLink: `d${i}`, pad: "x".repeat(20_000) });
  await host.documents.create("/things", body).then(
    () => acknowledged.push(i),
    (error) => (refused[error.reason] = (refused[error.reason] ?? 0) + 1),
  );
}
const readable = await host.documents.get("/things/d0").then(
  () => true,
  () => false,
);
console.log(JSON.stringify({ acknowledged, refused, readable }));
await host.close();
