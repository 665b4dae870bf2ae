import { limits } from "../limits.js";
import type { DocumentVersion } from "../document/document.js";
import type { DocumentIndex } from "../store/document-index.js";
import type { DocumentState } from "./document-state.js";
import { everything } from "./document-state.js";
import { restoreSelection } from "./restore-selection.js";

const count = limits.restoreSamples + 2 * limits.restoreBatchDocuments;
const links = Array.from({ length: count }, (_, n) => `/things/${String(n).padStart(4, "0")}`);

function version(link: string): DocumentVersion {
  return {
    link,
    version: 0,
    updateTimeMicros: 1,
    action: "POST",
    kind: "test:kind",
    owner: "",
    expirationTimeMicros: 0,
    body: "{}",
  };
}

const empty: DocumentState = {
  read: async () => undefined,
  async *documents() {},
};
const backup: DocumentState = {
  read: async (link) => version(link),
  async *documents() {
    yield* links.map(version);
  },
};

test("lists the first documents in order, whatever the order in which writes complete", async () => {
  let release = () => {};
  const others = new Promise<void>((resolve) => (release = resolve));
  let written = 0;
  const index = {
    read: async () => undefined,
    async write({ link }: { link: string }) {
      // The first write completes last.
      if (link === links[0]) await others;
      if ((written += 1) === count - 1) release();
      return version(link);
    },
  };
  const task = {
    index: index as unknown as DocumentIndex,
    live: empty,
    backup,
    selection: everything,
    deleteOthers: false,
    hostId: "h",
    nowMicros: 1,
    validateOnly: false,
  };
  const { selection } = await restoreSelection(task, new AbortController().signal, () => {});
  expect(selection).toMatchObject({ created: count });
  expect(selection.differences.map(({ link }) => link)).toEqual(
    links.slice(0, limits.restoreSamples),
  );
});
