import {
  create,
  fromJsonString,
  mergeFromJson,
  type DescMessage,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";
import { prepareRequestJson } from "./request-json.js";
import { parametersToJson } from "./fields.js";
import type { Rule } from "./rules.js";

/** The parts of an HTTP request that make up a message. */
export interface RequestParts {
  rule: Pick<Rule, "body">;
  /** Values from the path, which override all others. */
  variables: Iterable<readonly [string, string]>;
  query: Iterable<readonly [string, string]>;
  /** Body as text, "" if absent. */
  body: string;
}

/** Builds the request message from path, query and body. Throws REQUEST_INVALID or JSON_INVALID. */
export async function toRequest(
  schema: DescMessage,
  parts: RequestParts,
  registry: Registry,
): Promise<Message> {
  const { rule, variables, query, body } = parts;
  const queryJson = parametersToJson(schema, query);
  const pathJson = parametersToJson(schema, variables);
  if (rule.body === "" && body.trim() !== "")
    throw new HostError(
      "REQUEST_INVALID",
      "This method does not accept a body; use query parameters.",
    );
  if (rule.body === "*" && Object.keys(queryJson).length > 0) {
    throw new HostError(
      "REQUEST_INVALID",
      `This method does not accept query parameters; move ${Object.keys(queryJson).join(", ")} to the body.`,
    );
  }
  const prepared =
    body.trim() === ""
      ? undefined
      : await prepareRequestJson(rule.body === "*" ? schema : undefined, body);
  return attempt(() => {
    const options = { registry };
    const message =
      prepared === undefined
        ? create(schema)
        : fromJsonString(schema, bodyJson(schema, rule.body, prepared.text), options);
    prepared?.attach(message);
    mergeFromJson(schema, message, queryJson, options);
    return mergeFromJson(schema, message, pathJson, options);
  });
}

function bodyJson(schema: DescMessage, bodyField: string, body: string): string {
  if (bodyField === "*") return body;
  const field = schema.fields.find(({ name }) => name === bodyField);
  if (!field) throw new TypeError(`${schema.typeName} has no field ${bodyField} for a body`);
  return `{${JSON.stringify(field.jsonName)}:${body}}`;
}

/**
 * Converts the plain errors of protobuf-es to REQUEST_INVALID. Their messages name the invalid
 * field.
 */
function attempt<T>(convert: () => T): T {
  try {
    return convert();
  } catch (error) {
    if (error instanceof HostError || error instanceof TypeError) throw error;
    const text = error instanceof Error ? error.message : "unexpected error";
    throw new HostError("REQUEST_INVALID", `Invalid request: ${text.slice(0, 500)}`, {
      cause: error,
    });
  }
}
