import { getOption, hasOption, type DescMethod } from "@bufbuild/protobuf";
import { http } from "../../../gen/ts/google/api/annotations_pb.js";
import type { HttpRule } from "../../../gen/ts/google/api/http_pb.js";
import { parseTemplate, type PathTemplate } from "./template.js";

/** One HTTP form of a method. */
export interface Rule {
  httpMethod: string;
  template: PathTemplate;
  /** Which field the body of a request is: "*" for the whole message, "" for none. */
  body: string;
  /** Which field of the answer is the whole of it; "" for the message itself. */
  responseBody: string;
}

/** Forms of methods whose protos are not ours to annotate, by the method's full name. */
export type ExtraRules = Readonly<Record<string, Rule>>;

/**
 * The forms that a method's google.api.http annotation gives it, and the extra one; none for a method whose requests
 * are a stream, which has no REST form.
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
