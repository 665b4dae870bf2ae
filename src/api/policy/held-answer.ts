import type { Message } from "@bufbuild/protobuf";
import { createContextKey, type Interceptor } from "@connectrpc/connect";
import type { Document } from "../../../gen/ts/holdfast/document/v1/document_pb.js";
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

/** What an answer has documents in. */
interface DocumentsOf {
  documents?: Document[];
  versions?: Document[];
  body?: Document["body"];
}

/** The bytes of the documents in an answer. */
function documentBytesOf(message: Message): number {
  const { documents = [], versions = [], body } = message as Message & DocumentsOf;
  const bytesOf = (one: Document["body"] | undefined) =>
    one?.case === "json" ? one.value.length : 0;
  return [...documents, ...versions].reduce((sum, one) => sum + bytesOf(one.body), bytesOf(body));
}
