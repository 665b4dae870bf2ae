import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { CompareDocumentVersionsRequest } from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { isOpenedLink } from "../../service/documents/factories.js";
import { toLink } from "../services/document-body.js";

/** What requests that read documents name indexes with. */
type NamesIndexes = Partial<
  Pick<CompareDocumentVersionsRequest, "from" | "to"> & { indexLink: string }
>;

/** Whether requests of a method may name an index to read. */
export const mayReadOpened = ({ input }: DescMethod) =>
  input.fields.some(({ name }) => name === "index_link" || name === "from");

/** Whether a request reads an index that OpenBackup has opened. */
export function readsOpened(message: Message): boolean {
  const { indexLink, from, to } = message as Message & NamesIndexes;
  return [indexLink, from?.indexLink, to?.indexLink].some(
    (link) => link !== undefined && isOpenedLink(toLink(link)),
  );
}
