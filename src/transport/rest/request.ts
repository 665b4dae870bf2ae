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

export interface RequestParts {
  rule: Pick<Rule, "body">;
  /** What the path gives; it has the last word. */
  variables: Iterable<readonly [string, string]>;
  query: Iterable<readonly [string, string]>;
  /** The body as text; "" for none. */
  body: string;
}

/** The request message that path, query and body make together. Throws REQUEST_INVALID or JSON_INVALID. */
export async function toRequest(
  schema: DescMessage,
  parts: RequestParts,
  registry: Registry,
): Promise<Message> {
  const { rule, variables, query, body } = parts;
  const queryJson = parametersToJson(schema, query);
  const pathJson = parametersToJson(schema, variables);
  if (rule.body === "" && body.trim() !== "")
    throw new HostError("REQUEST_INVALID", "This takes no body; give fields as query parameters.");
  if (rule.body === "*" && Object.keys(queryJson).length > 0) {
    throw new HostError(
      "REQUEST_INVALID",
      `This takes no query parameters; give ${Object.keys(queryJson).join(", ")} in the body.`,
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

/** protobuf-es throws plain errors at what the request got wrong; their text names the field and is the caller's own. */
function attempt<T>(convert: () => T): T {
  try {
    return convert();
  } catch (error) {
    if (error instanceof HostError || error instanceof TypeError) throw error;
    const text = error instanceof Error ? error.message : "it does not fit";
    throw new HostError("REQUEST_INVALID", `The request is not understood: ${text.slice(0, 500)}`, {
      cause: error,
    });
  }
}
