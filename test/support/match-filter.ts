import type { DocumentVersion } from "../../src/document/document.js";
import type { Filter, FilterValue } from "../../src/document/filter.js";

/** Whether a document matches a filter, by a straightforward evaluation that tests compare with the SQL. */
export function matches(document: DocumentVersion, filter: Filter): boolean {
  switch (filter.op) {
    case "and":
      return filter.terms.every((term) => matches(document, term));
    case "or":
      return filter.terms.some((term) => matches(document, term));
    case "not":
      return !matches(document, filter.term);
    case "any":
      return filter.values.some((value) => {
        const found = fieldOf(document, filter.field);
        if (value !== null) return equals(found, value);
        return Array.isArray(found) ? found.includes(null) : found === null;
      });
    case "like": {
      const pattern = regularExpression(filter.pattern);
      const found = fieldOf(document, filter.field);
      return (Array.isArray(found) ? found : [found]).some(
        (one) => typeof one === "string" && pattern.test(one),
      );
    }
    case "eq":
    case "ne":
      return (filter.op === "eq") === equals(fieldOf(document, filter.field), filter.value);
    default:
      return inOrder(filter.op, fieldOf(document, filter.field), filter.value);
  }
}

function regularExpression(pattern: string): RegExp {
  let text = "";
  let escaped = false;
  for (const c of pattern) {
    if (c === "\\" && !escaped) {
      escaped = true;
      continue;
    }
    text +=
      !escaped && c === "*"
        ? ".*"
        : !escaped && c === "?"
          ? "."
          : c.replace(/[\\^$.|*?+()[\]{}]/g, "\\$&");
    escaped = false;
  }
  return new RegExp(`^${text}${escaped ? "\\\\" : ""}$`, "su");
}

const system: Record<string, (document: DocumentVersion) => unknown> = {
  documentSelfLink: (d) => d.link,
  documentVersion: (d) => d.version,
  documentUpdateTimeMicros: (d) => d.updateTimeMicros,
  documentUpdateAction: (d) => d.action,
  documentKind: (d) => d.kind,
  documentOwner: (d) => d.owner,
  documentExpirationTimeMicros: (d) => d.expirationTimeMicros,
  documentEpoch: () => 0,
};

export function fieldOf(document: DocumentVersion, field: string): unknown {
  const read = system[field];
  if (read !== undefined) return read(document);
  let value: unknown = JSON.parse(document.body);
  for (const name of field.split(".")) {
    if (
      typeof value !== "object" ||
      value === null ||
      Array.isArray(value) ||
      !Object.hasOwn(value, name)
    )
      return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function equals(found: unknown, value: FilterValue): boolean {
  if (value === null) return found === undefined || found === null;
  return (Array.isArray(found) ? found : [found]).some((one) =>
    typeof value === "bigint" ? typeof one === "number" && one === Number(value) : one === value,
  );
}

function inOrder(op: "lt" | "le" | "gt" | "ge", found: unknown, value: FilterValue): boolean {
  const bothText = typeof found === "string" && typeof value === "string";
  const bothNumbers =
    typeof found === "number" && (typeof value === "number" || typeof value === "bigint");
  if (!bothText && !bothNumbers) return false;
  const order = bothText
    ? Buffer.compare(Buffer.from(found), Buffer.from(value))
    : Math.sign(Number(found) - Number(value));
  return op === "lt" ? order < 0 : op === "le" ? order <= 0 : op === "gt" ? order > 0 : order >= 0;
}
