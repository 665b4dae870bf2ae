import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import type { BoundService } from "../../api/call/bound-service.js";
import { rulesOf, type ExtraRules, type Rule } from "../rest/rules.js";
import { bytePaths } from "./byte-paths.js";
import { pathOf, queryParameters } from "./parameters.js";
import { createSchemas, type Schemas } from "./schemas.js";

export interface DocumentOptions {
  services: readonly BoundService[];
  extraRules: ExtraRules;
  /** The version of the product. */
  version: string;
  /** Whether a bearer token is asked for. */
  withTokens: boolean;
}

/** OpenAPI 3.1 of the REST form of services, from their descriptors; these carry no comments, so names have to do. */
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
                'One message a line; {"error": Status} is the last line of a stream that failed, which then is cut.',
              ...content(lineOf(method, rule, schemas), "application/x-ndjson"),
            }
          : {
              description: "It is done.",
              ...content(part(method, "output", rule.responseBody, schemas)),
            },
      default: {
        description: "It failed; docs/errors.md explains each reason.",
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

/** The schema of a message, or of the field of it that a rule takes as the body. */
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

/** ListDocumentVersions is "List document versions". */
function words(name: string): string {
  const spaced = name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
