import { pathToFileURL } from "node:url";
import { authority } from "../support/certificates.js";
import { httpStore } from "../support/http-store.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";
import { placeContract } from "./places-suite.js";

const fileUri = (name: string) => pathToFileURL(`${temporaryDirectory()}/${name}`).href;

placeContract("a ZIP in a file", {
  container: "ZIP",
  prepare: async () => ({ uriOf: () => fileUri("b.zip") }),
});

placeContract("an http server", {
  container: "STREAM",
  async prepare() {
    const { origin } = await httpStore();
    return { uriOf: () => `${origin}/a%20b/b.zip?part=%2F` };
  },
});

placeContract("a server that answers GETs as Xenon does", {
  container: "STREAM",
  like: "an http server",
  async prepare() {
    const store = await httpStore();
    store.manners = { countsEndOut: true, noTag: true };
    return { uriOf: () => `${store.origin}/b.zip` };
  },
});

if (haveTools("an https server", "openssl")) {
  placeContract("an https server", {
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
