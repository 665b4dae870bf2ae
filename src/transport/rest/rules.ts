import { getOption, hasOption, type DescMethod } from "@bufbuild/protobuf";
import { http } from "../../../gen/ts/google/api/annotations_pb.js";
import type { HttpRule } from "../../../gen/ts/google/api/http_pb.js";
import { parseTemplate, type PathTemplate } from "./template.js";

/** An HTTP mapping of a method. */
export interface Rule {
  httpMethod: string;
  template: PathTemplate;
  /** Field that the request body sets: "*" for the whole message, "" for no body. */
  body: string;
  /** Field used as the response body, "" for the whole message. */
  responseBody: string;
}

/** Additional rules by full method name, for protos that are not part of this project. */
export type ExtraRules = Readonly<Record<string, Rule>>;

/**
 * Returns the rules of a method's google.api.http annotation and the additional one. Methods with
 * streamed requests have no REST form and thus no rules.
 */
export function rulesOf(method: DescMethod, extraRules: ExtraRules): Rule[] {
  if (method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming") return [];
  const extra = extraRules[`${method.parent.typeName}.${method.name}`];
  const more = extra ? [extra] : [];
  if (!hasOption(method, http)) return more;
  const rule = getOption(method, http);
  return [...[rule, ...rule.additionalBindings].map(toRule), ...more];
}

function toRule(rule: HttpRule): Rule {
  const { pattern, body, responseBody } = rule;
  if (pattern.case === undefined) throw new Error("an HTTP rule without a path");
  const [httpMethod, path] =
    pattern.case === "custom"
      ? [pattern.value.kind, pattern.value.path]
      : [pattern.case.toUpperCase(), pattern.value];
  return { httpMethod, template: parseTemplate(path), body, responseBody };
}
