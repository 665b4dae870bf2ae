/** The parts of a screen's address after its name, for example of #/documents/LINK/INDEX. */
export const partsOf = (hash: string): string[] =>
  hash
    .split("/")
    .slice(2)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        // Somebody typed it.
        return part;
      }
    });

/** The address of a document: in the live index, or in one that is open. */
export const documentRoute = (link: string, indexLink = "") =>
  `#/documents/${encodeURIComponent(link)}${indexLink === "" ? "" : `/${encodeURIComponent(indexLink)}`}`;

/** The address of the documents of an index. */
export const indexRoute = (indexLink: string) => `#/documents//${encodeURIComponent(indexLink)}`;
