import { HostError } from "../../errors.js";
import { decodeVariable, matchTemplate } from "./template.js";
import type { Rule } from "./rules.js";

/** A rule with the target of its requests. */
export interface Route<Target> extends Rule {
  target: Target;
}

/** The result of routing a request. */
export interface Match<Target> {
  route: Route<Target>;
  /** Values from the path by field path. */
  variables: Map<string, string>;
}

/** Finds the route of a request. */
export type Router<Target> = (httpMethod: string, path: string) => Match<Target>;

/**
 * Creates a router. If several routes match, a route with a verb wins over one without, then the
 * one with more literal segments. The router throws ROUTE_NOT_FOUND, METHOD_NOT_ALLOWED (metadata
 * `allow`: supported methods of the path) or REQUEST_INVALID for a malformed path.
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
    if (allowed.size === 0) throw new HostError("ROUTE_NOT_FOUND", `Path ${path} not found.`);
    const allow = [...allowed].toSorted().join(", ");
    throw new HostError(
      "METHOD_NOT_ALLOWED",
      `${path} does not support ${httpMethod}; use ${allow}.`,
      {
        metadata: { allow },
      },
    );
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
    throw new HostError(
      "REQUEST_INVALID",
      `Invalid path segment ${raw}: not percent-encoded UTF-8.`,
    );
  return value;
}
