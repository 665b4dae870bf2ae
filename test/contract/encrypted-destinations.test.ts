import { pathToFileURL } from "node:url";
import { generateIdentity } from "../../src/encryption/identities.js";
import { httpStore } from "../support/http-store.js";
import { MemoryDestination, MemoryScheme, MemoryStore } from "../support/memory-destination.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { destinationContract } from "./destination-suite.js";

let key: { recipient: string; identityFile: string };
beforeAll(async () => {
  key = await generateIdentity({ createdMs: 0 });
});

const encrypted = () => ({
  backup: { encryption: { encryptTo: { recipients: [key.recipient] } } },
  read: { decryptWith: { identities: key.identityFile, passphrase: "" } },
});

const fileUri = (name: string) => pathToFileURL(`${temporaryDirectory()}/${name}`).href;

destinationContract("a directory of compressed files", {
  container: "DIRECTORY",
  requests: () => ({ backup: { compression: "gzip" } }),
  prepare: async () => ({ uriOf: () => fileUri("backups") }),
});

destinationContract("a directory of encrypted files", {
  container: "DIRECTORY",
  like: "objects in memory, encrypted",
  requests: encrypted,
  prepare: async () => ({ uriOf: () => fileUri("backups") }),
});

destinationContract("an encrypted ZIP in a file", {
  container: "ZIP",
  requests: encrypted,
  prepare: async () => ({ uriOf: () => fileUri("b.zip") }),
});

for (const [what, container, uri, like] of [
  ["objects in memory, encrypted", "DIRECTORY", "memory:shop", undefined],
  ["an encrypted ZIP in memory", "ZIP", "memory:shop/b.zip", "an encrypted ZIP in a file"],
] as const) {
  destinationContract(what, {
    container,
    ...(like && { like }),
    requests: encrypted,
    async prepare() {
      const store = new MemoryStore();
      const memory = new MemoryScheme((bucket) => new MemoryDestination(store, bucket));
      return { options: { destinations: { memory } }, uriOf: () => uri };
    },
  });
}

destinationContract("an http server with encrypted archives", {
  container: "STREAM",
  like: "an encrypted ZIP in a file",
  requests: encrypted,
  async prepare() {
    const { origin } = await httpStore();
    return { uriOf: () => `${origin}/b.zip` };
  },
});
