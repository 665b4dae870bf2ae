/**
 * A path template of google.api.http: literal segments, `*` (one segment), `**` (one or more, only
 * at the end), variables `{field}`, `{field=**}`, `{field=a/*}`, and a verb after a colon.
 */
export interface PathTemplate {
  /** Literals, "*" and "**". */
  segments: readonly string[];
  variables: readonly PathVariable[];
  verb?: string;
}

/** A variable of a path template. */
export interface PathVariable {
  /** Field path, for example `name` or `backup.name`. */
  fieldPath: string;
  /** Range of segments in the template; `to` is exclusive. */
  from: number;
  to: number;
}

/** Parses a template. Throws a plain Error for a malformed one, which is a programming error. */
export function parseTemplate(template: string): PathTemplate {
  const segments: string[] = [];
  const variables: PathVariable[] = [];
  const fail = (why: string): never => {
    throw new Error(`path template ${template}: ${why}`);
  };
  const [, path, verb] =
    /^((?:\/(?:\{[^{}]*\}|[^{}:/])+)+)(?::([a-zA-Z]+))?$/.exec(template) ?? fail("invalid syntax");
  for (const part of path?.match(/(?:\{[^{}]*\}|[^{}/])+/g) ?? []) {
    const variable = /^\{([a-z0-9_.]+)(?:=(.+))?\}$/.exec(part);
    const inner = variable ? (variable[2] ?? "*").split("/") : [part];
    if (variable?.[1])
      variables.push({
        fieldPath: variable[1],
        from: segments.length,
        to: segments.length + inner.length,
      });
    segments.push(...inner);
  }
  for (const [i, segment] of segments.entries()) {
    if (segment === "" || (/[*{}]/.test(segment) && !["*", "**"].includes(segment)))
      fail(`invalid segment ${segment}`);
    if (segment === "**" && i !== segments.length - 1) fail("** must be the last segment");
  }
  return verb === undefined ? { segments, variables } : { segments, variables, verb };
}

/**
 * Returns the raw text of each variable, or undefined if the path does not match. The path must not
 * be decoded.
 */
export function matchTemplate(
  template: PathTemplate,
  path: string,
): { fieldPath: string; raw: string; multiple: boolean }[] | undefined {
  const suffix = template.verb === undefined ? "" : `:${template.verb}`;
  if (!path.startsWith("/") || !path.endsWith(suffix)) return undefined;
  const parts = path.slice(1, path.length - suffix.length).split("/");
  const { segments } = template;
  const open = segments.at(-1) === "**";
  if (open ? parts.length < segments.length : parts.length !== segments.length) return undefined;
  for (const [i, segment] of segments.entries()) {
    const part = parts[i];
    if (segment === "**") break;
    if (segment === "*" ? part === "" : decode(part ?? "") !== segment) return undefined;
  }
  return template.variables.map(({ fieldPath, from, to }) => {
    const last = to === segments.length && open ? parts.length : to;
    return {
      fieldPath,
      raw: parts.slice(from, last).join("/"),
      multiple: to - from > 1 || segments[from] === "**",
    };
  });
}

/**
 * Decodes the value of a variable. One that spans several segments keeps encoded slashes encoded to
 * distinguish them from separators. Returns undefined for malformed input.
 */
export function decodeVariable(raw: string, multiple: boolean): string | undefined {
  return multiple ? decode(raw.replace(/%(2f)/gi, "%25$1")) : decode(raw);
}

function decode(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
