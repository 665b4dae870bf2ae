import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import type { BoundService } from "../../api/call/bound-service.js";
import { rulesOf, type ExtraRules, type Rule } from "../rest/rules.js";
import { bytePaths } from "./byte-paths.js";
import { pathOf, queryParameters } from "./parameters.js";
import { createSchemas, type Schemas } from "./schemas.js";

/** Options of openApiDocument. */
export interface DocumentOptions {
  services: readonly BoundService[];
  extraRules: ExtraRules;
  /** The version of the product. */
  version: string;
  /** Whether requests require a bearer token. */
  withTokens: boolean;
}

/**
 * Generates an OpenAPI 3.1 document of the REST API from service descriptors, which contain no
 * comments.
 */
export function openApiDocument({
  services,
  extraRules,
  version,
  withTokens,
}: DocumentOptions): JsonObject {
  const schemas = createSchemas();
  const paths: Record<string, JsonObject> = {};
  for (const { methods } of services) {
    for (const { method } of Object.values(methods)) {
      for (const [i, rule] of rulesOf(method, extraRules).entries()) {
        const { path, parameters } = pathOf(rule, method.input);
        const item = (paths[path] ??= {});
        item[rule.httpMethod.toLowerCase()] = operation(
          method,
          i,
          rule,
          [...parameters, ...queryParameters(rule, method.input, schemas)],
          schemas,
        );
      }
    }
  }
  for (const [path, item] of Object.entries(bytePaths(schemas)))
    paths[path] = { ...paths[path], ...item };
  return {
    openapi: "3.1.0",
    info: { title: "Holdfast", version },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: schemas.collected(),
      ...(withTokens && { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } }),
    },
    ...(withTokens && { security: [{ bearer: [] }] }),
  };
}

function operation(
  method: DescMethod,
  i: number,
  rule: Rule,
  parameters: JsonObject[],
  schemas: Schemas,
): JsonObject {
  const service = method.parent.name;
  const content = (schema: JsonObject, type = "application/json") => ({
    content: { [type]: { schema } },
  });
  return {
    operationId: `${service}_${method.name}${i === 0 ? "" : `_${i + 1}`}`,
    summary: words(method.name),
    tags: [service],
    ...(parameters.length > 0 && { parameters }),
    ...(rule.body !== "" && { requestBody: content(part(method, "input", rule.body, schemas)) }),
    responses: {
      "200":
        method.methodKind === "server_streaming"
          ? {
              description:
                'One message per line. A failed stream ends with the line {"error": Status}, then the connection is closed.',
              ...content(lineOf(method, rule, schemas), "application/x-ndjson"),
            }
          : {
              description: "Success.",
              ...content(part(method, "output", rule.responseBody, schemas)),
            },
      default: {
        description: "Error. See docs/errors.md for the reasons.",
        ...content(schemas.ofMessage(StatusSchema)),
      },
    },
  };
}

function lineOf(method: DescMethod, rule: Rule, schemas: Schemas): JsonObject {
  const error = {
    type: "object",
    required: ["error"],
    additionalProperties: false,
    properties: { error: schemas.ofMessage(StatusSchema) },
  };
  return { oneOf: [part(method, "output", rule.responseBody, schemas), error] };
}

/** Returns the schema of a message, or of the field that a rule uses as the body. */
function part(
  method: DescMethod,
  side: "input" | "output",
  fieldName: string,
  schemas: Schemas,
): JsonObject {
  const message = method[side];
  const field = message.fields.find(({ name }) => name === fieldName);
  return field ? schemas.ofField(field) : schemas.ofMessage(message);
}

/** Converts "ListDocumentVersions" to "List document versions". */
function words(name: string): string {
  const spaced = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
