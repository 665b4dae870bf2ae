import { pathToFileURL } from "node:url";
import { authority } from "../support/certificates.js";
import { httpStore } from "../support/http-store.js";
import { MemoryDestination, MemoryScheme, MemoryStore } from "../support/memory-destination.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";
import { destinationContract } from "./destination-suite.js";

const fileUri = (name: string) => pathToFileURL(`${temporaryDirectory()}/${name}`).href;

destinationContract("a ZIP in a file", {
  container: "ZIP",
  prepare: async () => ({ uriOf: () => fileUri("b.zip") }),
});

destinationContract("a directory of files", {
  container: "DIRECTORY",
  prepare: async () => ({ uriOf: () => fileUri("backups") }),
});

for (const [what, container, uri] of [
  ["objects in memory", "DIRECTORY", "memory:shop"],
  ["a ZIP in memory", "ZIP", "memory:shop/b.zip"],
] as const) {
  destinationContract(what, {
    container,
    async prepare() {
      const store = new MemoryStore();
      const memory = new MemoryScheme((bucket) => new MemoryDestination(store, bucket));
      return { options: { destinations: { memory } }, uriOf: () => uri };
    },
  });
}

destinationContract("an http server", {
  container: "STREAM",
  async prepare() {
    const { origin } = await httpStore();
    return { uriOf: () => `${origin}/a%20b/b.zip?part=%2F` };
  },
});

destinationContract("a server that answers GETs as Xenon does", {
  container: "STREAM",
  like: "an http server",
  async prepare() {
    const store = await httpStore();
    store.behavior = { exclusiveRangeEnd: true, noTag: true };
    return { uriOf: () => `${store.origin}/b.zip` };
  },
});

if (haveTools("an https server", "openssl")) {
  destinationContract("an https server", {
    container: "STREAM",
    like: "an http server",
    async prepare() {
      const ca = authority();
      const { certificate: cert, key } = ca.issue("server", "IP:127.0.0.1");
      const { origin } = await httpStore({ tls: { cert, key } });
      return { options: { clientTls: { ca: ca.pem } }, uriOf: () => `${origin}/b.zip` };
    },
  });
}
