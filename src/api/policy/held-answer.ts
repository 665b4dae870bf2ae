import type { Message } from "@bufbuild/protobuf";
import { createContextKey, type Interceptor } from "@connectrpc/connect";
import {
  DocumentSchema,
  ListDocumentsResponseSchema,
  ListDocumentVersionsResponseSchema,
  type Document,
  type ListDocumentsResponse,
  type ListDocumentVersionsResponse,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { limits } from "../../limits.js";
import type { Hold } from "../../security/shares.js";

/** What the answer of a call holds in memory. The transport releases it when the answer was sent. */
export const heldAnswer = createContextKey<Pick<Hold, "add">>(
  { add: () => {} },
  { description: "memory of the answer" },
);

/** Charges large documents in answers to their clients until they are sent. OVERLOADED, before they are converted. */
export const heldAnswerInterceptor: Interceptor = (next) => async (request) => {
  const response = await next(request);
  if (response.stream) return response;
  const bytes = documentBytesOf(response.message);
  if (bytes > limits.decodeSliceBytes)
    request.contextValues.get(heldAnswer).add(bytes * limits.answerCopies);
  return response;
};

/** The bytes of the documents in an answer: one, or a page. */
function documentBytesOf(message: Message): number {
  switch (message.$typeName) {
    case DocumentSchema.typeName:
      return bytesOf(message as Document);
    case ListDocumentsResponseSchema.typeName:
      return sumOf((message as ListDocumentsResponse).documents);
    case ListDocumentVersionsResponseSchema.typeName:
      return sumOf((message as ListDocumentVersionsResponse).versions);
    default:
      return 0;
  }
}

const bytesOf = ({ body }: Document) => (body.case === "json" ? body.value.length : 0);
const sumOf = (documents: Document[]) => documents.reduce((sum, one) => sum + bytesOf(one), 0);
