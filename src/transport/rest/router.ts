import { HostError } from "../../errors.js";
import { decodeVariable, matchTemplate } from "./template.js";
import type { Rule } from "./rules.js";

/** A rule, and what it leads to. */
export interface Route<Target> extends Rule {
  target: Target;
}

export interface Match<Target> {
  route: Route<Target>;
  /** The fields that the path gives, by path. */
  variables: Map<string, string>;
}

export type Router<Target> = (httpMethod: string, path: string) => Match<Target>;

/**
 * Finds the route of a request: of several that fit, one with a verb before one without, then the one with more
 * literal segments. Throws ROUTE_NOT_FOUND, METHOD_NOT_ALLOWED (metadata `allow`: the methods of that path) or
 * REQUEST_INVALID for a malformed path.
 */
export function createRouter<Target>(routes: readonly Route<Target>[]): Router<Target> {
  const ordered = routes.toSorted((a, b) => specificity(b) - specificity(a));
  return (httpMethod, path) => {
    const wanted = httpMethod === "HEAD" ? "GET" : httpMethod;
    const allowed = new Set<string>();
    for (const route of ordered) {
      const found = matchTemplate(route.template, path);
      if (!found) continue;
      allowed.add(route.httpMethod);
      if (route.httpMethod !== wanted) continue;
      return {
        route,
        variables: new Map(
          found.map(({ fieldPath, raw, multiple }) => [fieldPath, decoded(raw, multiple)]),
        ),
      };
    }
    if (allowed.size === 0) throw new HostError("ROUTE_NOT_FOUND", `There is nothing at ${path}.`);
    const allow = [...allowed].toSorted().join(", ");
    throw new HostError("METHOD_NOT_ALLOWED", `${path} takes ${allow}, not ${httpMethod}.`, {
      metadata: { allow },
    });
  };
}

function specificity({ template }: Rule): number {
  const literals = template.segments.filter((segment) => !segment.startsWith("*")).length;
  return (
    (template.verb === undefined ? 0 : 1000) +
    literals * 2 +
    (template.segments.at(-1) === "**" ? 0 : 1)
  );
}

function decoded(raw: string, multiple: boolean): string {
  const value = decodeVariable(raw, multiple);
  if (value === undefined)
    throw new HostError("REQUEST_INVALID", `${raw} is not percent-encoded UTF-8.`);
  return value;
}
