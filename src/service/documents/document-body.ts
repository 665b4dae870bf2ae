import { HostError } from "../../errors.js";
import { kindDefinition, type KindDefinition } from "../../document/kinds.js";
import { exactInteger } from "../../document/integers.js";
import { parseMembers, type Members } from "../../document/members.js";
import { ownMembers, type SystemField } from "../../document/system-fields.js";
import { limits } from "../../limits.js";

/** A parsed request body: the body to store, and the two system fields that clients may set. */
export interface DocumentBody {
  body: string;
  selfLink?: string;
  expirationTimeMicros?: number;
}

/** System fields given outside the body of a request. */
export type GivenFields = Partial<Record<SystemField, string | number>>;

/** Options of a write outside its body. */
export interface BodyContext {
  /** System fields. Must not also be in the body. */
  given?: GivenFields;
  /** Marks a document copied from another host by a migration. */
  fromMigration?: boolean;
}

/** Actions with a body. */
export type WriteAction = "POST" | "PUT" | "PATCH";

/**
 * Parses the body of a write, long ones outside the event loop. Throws the errors of
 * readDocumentBody.
 */
export type ReadBody = (
  kind: string,
  action: WriteAction,
  text: string,
  context?: BodyContext,
) => Promise<DocumentBody> | DocumentBody;

/**
 * Parses and validates the body of a write; an empty text means an empty document. Throws
 * BODY_TOO_LARGE, JSON_INVALID and REQUEST_INVALID.
 */
export function readDocumentBody(
  kind: KindDefinition,
  action: WriteAction,
  text: string,
  { given = {}, fromMigration }: BodyContext = {},
): DocumentBody {
  // A UTF-16 code unit takes at most three bytes, so most texts need not be counted.
  if (text.length * 3 > limits.documentBytes && Buffer.byteLength(text) > limits.documentBytes) {
    throw new HostError(
      "BODY_TOO_LARGE",
      `The document exceeds the limit of ${limits.documentBytes} bytes.`,
    );
  }
  const members = text === "" ? new Map<string, string>() : parseMembers(text);
  for (const [name, value] of Object.entries(given)) {
    if (members.has(name))
      throw new HostError(
        "REQUEST_INVALID",
        `${name} is given both in the body and in the request; give it only once.`,
        { metadata: { field: name } },
      );
    members.set(name, JSON.stringify(value));
  }
  const selfLink = selfLinkOf(members);
  const expirationTimeMicros = expirationOf(members, action);
  return {
    body: kind.body(action, ownMembers(members), fromMigration),
    ...(selfLink !== undefined && { selfLink }),
    ...(expirationTimeMicros !== undefined && { expirationTimeMicros }),
  };
}

/** Returns a function that looks up kinds and caches their definitions. */
export function kindTable(): (kind: string) => KindDefinition {
  const table = new Map<string, KindDefinition>();
  return (kind) => {
    const known = table.get(kind);
    if (known !== undefined) return known;
    const definition = kindDefinition(kind);
    table.set(kind, definition);
    return definition;
  };
}

function selfLinkOf(members: Members): string | undefined {
  const raw = members.get("documentSelfLink");
  if (raw === undefined || raw === "null") return undefined;
  const value: unknown = JSON.parse(raw);
  if (typeof value !== "string")
    throw new HostError("LINK_INVALID", "documentSelfLink must be a string.");
  return value;
}

/**
 * A PATCH cannot set 0: clients that send complete states include a 0 unintentionally, and Xenon
 * keeps the expiration time then. A PUT removes it.
 */
function expirationOf(members: Members, action: WriteAction): number | undefined {
  const raw = members.get("documentExpirationTimeMicros");
  if (raw === undefined || raw === "null") return undefined;
  const value = exactInteger(raw);
  if (value === undefined || value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new HostError(
      "REQUEST_INVALID",
      "documentExpirationTimeMicros must be microseconds since 1970, or 0 for never.",
    );
  }
  return value === 0n && action === "PATCH" ? undefined : Number(value);
}
