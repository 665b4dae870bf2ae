import type { JsonObject } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import { TransferSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Schemas } from "./schemas.js";

const content = (schema: JsonObject, type = "application/json"): JsonObject => ({
  content: { [type]: { schema } },
});
const parameter = (
  name: string,
  location: "path" | "query" | "header",
  description: string,
  required: boolean,
): JsonObject => ({ name, in: location, required, description, schema: { type: "string" } });

/**
 * Returns the paths whose bodies are not messages: archives of transfers and documents as NDJSON.
 */
export function bytePaths(schemas: Schemas): Record<string, JsonObject> {
  const failure = {
    default: {
      description: "Error. See docs/errors.md for the reasons.",
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
          parameter("If-Range", "header", "ETag of the part received so far.", false),
        ],
        responses: {
          "200": { description: "The complete archive.", ...content(archive, "application/zip") },
          "206": { description: "The requested range.", ...content(archive, "application/zip") },
          ...failure,
        },
      },
    },
    "/v1/transfers/{name}": {
      put: {
        operationId: "Transfers_Upload",
        summary: "Upload an archive, whole or in parts",
        tags: ["ManagementService"],
        parameters: [
          name,
          parameter(
            "Content-Range",
            "header",
            "Position of the part: bytes FIRST-LAST/TOTAL, with LAST inclusive. If omitted, the body is the whole archive.",
            false,
          ),
        ],
        requestBody: content(archive, "application/octet-stream"),
        responses: {
          "200": {
            description: "The transfer after the upload.",
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
          parameter(
            "skip",
            "query",
            "Number of leading documents to skip, already written by an earlier request.",
            false,
          ),
        ],
        requestBody: content(
          { type: "object", description: "One document per line, with its documentSelfLink." },
          "application/x-ndjson",
        ),
        responses: {
          "200": {
            description: "Progress, one line at a time; the last line has done=true.",
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
        parameters: [factory, parameter("filter", "query", "An OData filter.", false)],
        responses: {
          "200": {
            description: "All documents at one point in time, one per line.",
            ...content({ type: "object" }, "application/x-ndjson"),
          },
          ...failure,
        },
      },
    },
  };
}
