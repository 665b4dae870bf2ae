import { HostError } from "../../errors.js";
import { kindDefinition, type KindDefinition } from "../../document/kinds.js";
import { exactInteger } from "../../document/integers.js";
import { parseMembers, type Members } from "../../document/members.js";
import { ownMembers, type SystemField } from "../../document/system-fields.js";
import { limits } from "../../limits.js";

/** A request's body taken apart: what is kept, and the two system fields that a client may set. */
export interface DocumentBody {
  body: string;
  selfLink?: string;
  expirationTimeMicros?: number;
}

/** System fields that a request gives beside the body. */
export type GivenFields = Partial<Record<SystemField, string | number>>;

/** What a write says beside its body. */
export interface BodyContext {
  /** System fields; REQUEST_INVALID for one that is in the body too. */
  given?: GivenFields;
  /** A migration writes a document that it read elsewhere. */
  fromMigration?: boolean;
}

export type WriteAction = "POST" | "PUT" | "PATCH";

/** Reads the body of a write of a document of the kind; long ones off the event loop. Throws as readDocumentBody. */
export type ReadBody = (
  kind: string,
  action: WriteAction,
  text: string,
  context?: BodyContext,
) => Promise<DocumentBody> | DocumentBody;

/** Throws BODY_TOO_LARGE, JSON_INVALID, and what the kind requires as REQUEST_INVALID. An empty text is an empty document. */
export function readDocumentBody(
  kind: KindDefinition,
  action: WriteAction,
  text: string,
  { given = {}, fromMigration }: BodyContext = {},
): DocumentBody {
  // No text takes more than three bytes for a code unit, so most need no counting.
  if (text.length * 3 > limits.documentBytes && Buffer.byteLength(text) > limits.documentBytes) {
    throw new HostError(
      "BODY_TOO_LARGE",
      `The document is larger than ${limits.documentBytes} bytes.`,
    );
  }
  const members = text === "" ? new Map<string, string>() : parseMembers(text);
  for (const [name, value] of Object.entries(given)) {
    if (members.has(name))
      throw new HostError(
        "REQUEST_INVALID",
        `${name} is in the body and in the request; give it once.`,
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

/** The definitions of the kinds in use, each made once. */
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
 * A PATCH cannot say 0: clients that send whole states send a 0 they do not mean, and Xenon keeps the expiry then.
 * PUT takes it away.
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
