import type { JsonObject } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import { TransferSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Schemas } from "./schemas.js";

const content = (schema: JsonObject, type = "application/json"): JsonObject => ({
  content: { [type]: { schema } },
});
const parameter = (
  name: string,
  place: "path" | "query" | "header",
  description: string,
  required: boolean,
): JsonObject => ({ name, in: place, required, description, schema: { type: "string" } });

/** What bodies are bytes or lines and so is not in the protos' annotations: archives of transfers, documents as NDJSON. */
export function bytePaths(schemas: Schemas): Record<string, JsonObject> {
  const failure = {
    default: {
      description: "It failed; docs/errors.md explains each reason.",
      ...content(schemas.ofMessage(StatusSchema)),
    },
  };
  const name = parameter("name", "path", "One segment.", true);
  const factory = parameter(
    "factory_link",
    "query",
    "The factory, for example /core/examples.",
    true,
  );
  const archive = { type: "string", contentMediaType: "application/zip" };
  return {
    "/v1/transfers/{name}:download": {
      get: {
        operationId: "Transfers_Download",
        summary: "Download the archive of a transfer",
        tags: ["ManagementService"],
        parameters: [
          name,
          parameter("Range", "header", "One range of bytes.", false),
          parameter("If-Range", "header", "The ETag of the part that is there.", false),
        ],
        responses: {
          "200": { description: "All of it.", ...content(archive, "application/zip") },
          "206": { description: "The range.", ...content(archive, "application/zip") },
          ...failure,
        },
      },
    },
    "/v1/transfers/{name}": {
      put: {
        operationId: "Transfers_Upload",
        summary: "Upload an archive, whole or piece by piece",
        tags: ["ManagementService"],
        parameters: [
          name,
          parameter(
            "Content-Range",
            "header",
            "Which piece it is: bytes FIRST-LAST/TOTAL, the last one counted in. Absent: the whole.",
            false,
          ),
        ],
        requestBody: content(archive, "application/octet-stream"),
        responses: {
          "200": {
            description: "The transfer as it is then.",
            ...content(schemas.ofMessage(TransferSchema)),
          },
          ...failure,
        },
      },
    },
    "/v1/documents:import": {
      post: {
        operationId: "Documents_Import",
        summary: "Import documents",
        tags: ["DocumentService"],
        parameters: [
          factory,
          parameter("skip", "query", "Documents at the beginning that are written already.", false),
        ],
        requestBody: content(
          { type: "object", description: "A document a line, with its documentSelfLink." },
          "application/x-ndjson",
        ),
        responses: {
          "200": {
            description: "How far it is, a line now and then; the last one says done.",
            ...content({ type: "object" }, "application/x-ndjson"),
          },
          ...failure,
        },
      },
    },
    "/v1/documents:export": {
      get: {
        operationId: "Documents_Export",
        summary: "Export documents",
        tags: ["DocumentService"],
        parameters: [factory, parameter("filter", "query", "An OData condition.", false)],
        responses: {
          "200": {
            description: "All documents as they are at one moment, one a line.",
            ...content({ type: "object" }, "application/x-ndjson"),
          },
          ...failure,
        },
      },
    },
  };
}
