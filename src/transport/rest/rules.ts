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

/** The forms that a method's google.api.http annotation gives it; none without one. */
export function rulesOf(method: DescMethod): Rule[] {
  if (!hasOption(method, http)) return [];
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].map(toRule);
}

function toRule(rule: HttpRule): Rule {
  const { pattern, body, responseBody } = rule;
  if (pattern.case === undefined) throw new Error("an HTTP rule without a path");
  const [httpMethod, path] =
    pattern.case === "custom" ? [pattern.value.kind, pattern.value.path] : [pattern.case.toUpperCase(), pattern.value];
  return { httpMethod, template: parseTemplate(path), body, responseBody };
}
