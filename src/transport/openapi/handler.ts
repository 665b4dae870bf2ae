import { createRegistry } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../../../gen/ts/google/rpc/error_details_pb.js";
import { HostError } from "../../errors.js";
import type { Access } from "../../security/access.js";
import type { BoundService } from "../../api/call/bound-service.js";
import { callerOf } from "../http/caller.js";
import { sendJson } from "../http/respond.js";
import type { HttpHandler } from "../http/handler.js";
import { requireGet } from "../http/require-get.js";
import { sendError } from "../rest/answer.js";
import { operationRules } from "../rest/operation-rules.js";
import { openApiDocument } from "./document.js";

/** Options of createOpenApiHandler. */
export interface OpenApiOptions {
  services: readonly BoundService[];
  /** If set, requires the role read; if omitted, any client may read the document. */
  access?: Access | undefined;
  version: string;
}

const path = "/v1/openapi.json";

/** Serves GET /v1/openapi.json, the OpenAPI document of /v1. It is generated on first use. */
export function createOpenApiHandler({ services, access, version }: OpenApiOptions): HttpHandler {
  const registry = createRegistry(file_google_rpc_error_details);
  let text: string | undefined;
  return async (request, response) => {
    if (request.url !== path && !request.url?.startsWith(`${path}?`)) return false;
    try {
      requireGet(request, path);
      access?.requireRole(callerOf(request, "rest"), "GET /v1/openapi.json", "read");
      text ??= JSON.stringify(
        openApiDocument({
          services,
          extraRules: operationRules,
          version,
          withTokens: access?.withTokens ?? false,
        }),
      );
      sendJson(response, 200, text, ["cache-control", "no-store"]);
    } catch (thrown) {
      sendError(request, response, HostError.from(thrown), registry);
    }
    return true;
  };
}
