import type { DocumentHost } from "./document-host.js";
import { versionPages } from "./read-versions.js";

const link = "/core/books/b1";

/** Returns the bodies parsed from a response with one document. */
async function read(fields: object): Promise<string[]> {
  const document = {
    title: "t",
    ...fields,
    documentVersion: 0,
    documentEpoch: 0,
    documentKind: "k",
    documentSelfLink: link,
    documentUpdateTimeMicros: 1,
    documentUpdateAction: "POST",
    documentOwner: "x",
  };
  const task = {
    taskInfo: { stage: "FINISHED" },
    results: { documentLinks: [link], documents: { [link]: document } },
  };
  const host: DocumentHost = { url: "http://xenon", ask: async () => JSON.stringify(task) };
  const query = {
    factoryPath: "/core/books",
    indexLink: "/core/document-index",
    allVersions: false,
    includeDeleted: false,
    pageSize: 10,
  };
  const bodies: string[] = [];
  for await (const page of versionPages(host, query, new AbortController().signal))
    bodies.push(...page.map(({ body }) => body));
  return bodies;
}

test("keeps custom fields whose names start with document", async () => {
  expect(
    await read({
      documentTitle: "A title",
      documentation: "d",
      documentAuthPrincipalLink: "/core/authz/system-user",
    }),
  ).toEqual(['{"title":"t","documentTitle":"A title","documentation":"d"}']);
});

test("fails for a field that cannot be stored, with the document and the field in the message", async () => {
  await expect(read({ documentSourceLink: "/core/books/b0" })).rejects.toMatchObject({
    reason: "DESTINATION_REFUSED",
    message: expect.stringMatching(/\/core\/books\/b1.*documentSourceLink/) as string,
  });
});
