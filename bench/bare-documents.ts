// The limit of GetDocument: grpc-js alone with the same messages. It decodes the request, and encodes the document that it
// was given for each answer. Argument: the document as JSON of its message.
import { fromBinary, fromJsonString, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import {
  DocumentSchema,
  GetDocumentRequestSchema,
  type Document,
  type GetDocumentRequest,
} from "../gen/ts/holdfast/document/v1/document_pb.js";

const document = fromJsonString(DocumentSchema, process.argv[2] ?? "");
const server = new Server();
server.addService(
  {
    getDocument: {
      path: "/bench.Bare/GetDocument",
      requestStream: false,
      responseStream: false,
      requestSerialize: (message: GetDocumentRequest) =>
        Buffer.from(toBinary(GetDocumentRequestSchema, message)),
      requestDeserialize: (bytes: Buffer) => fromBinary(GetDocumentRequestSchema, bytes),
      responseSerialize: (message: Document) => Buffer.from(toBinary(DocumentSchema, message)),
      responseDeserialize: (bytes: Buffer) => fromBinary(DocumentSchema, bytes),
    },
  },
  {
    getDocument: (_call: unknown, callback: (error: null, answer: Document) => void) =>
      callback(null, document),
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, grpcPort) => {
  if (error) throw error;
  process.send?.({ port: 0, grpcPort });
});
process.on("message", () => process.exit(0));
