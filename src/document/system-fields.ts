import { HostError } from "../errors.js";
import { exactInteger, isInt64 } from "./integers.js";
import { compactJson, type Members } from "./members.js";

/** The fields of a document that the host keeps, under the names they have on the wire. */
export const systemFields = {
  documentSelfLink: "text",
  documentVersion: "integer",
  documentUpdateTimeMicros: "integer",
  documentUpdateAction: "text",
  documentKind: "text",
  documentOwner: "text",
  documentExpirationTimeMicros: "integer",
  documentEpoch: "integer",
} as const;
export type SystemField = keyof typeof systemFields;

export function systemField(name: string): SystemField | undefined {
  return Object.hasOwn(systemFields, name) ? (name as SystemField) : undefined;
}

/**
 * The twelve names that Xenon's ServiceDocument declares; every other name belongs to the document, also one that begins
 * with "document". Xenon sets the principal and the transaction with each write, so values sent for them mean nothing. The
 * last two have no counterpart here: a value for them is refused.
 */
const reservedFields: Record<string, "text" | "integer" | "unsupported"> = {
  ...systemFields,
  documentAuthPrincipalLink: "text",
  documentTransactionId: "text",
  documentSourceLink: "unsupported",
  documentDescription: "unsupported",
};

/**
 * The members that belong to the body, each value as compact JSON: an export writes a document on one line. Throws
 * REQUEST_INVALID for a reserved field with a value that it cannot have.
 */
export function ownMembers(members: Members): Members {
  const own: Members = new Map();
  for (const [name, raw] of members) {
    if (!Object.hasOwn(reservedFields, name)) own.set(name, compactJson(raw));
    else checkReserved(name, raw);
  }
  return own;
}

function checkReserved(name: string, raw: string): void {
  if (raw === "null") return;
  switch (reservedFields[name]) {
    case "text":
      if (!raw.startsWith('"')) throw refused(name, "must be a string");
      return;
    case "integer": {
      const value = exactInteger(raw);
      if (value === undefined || !isInt64(value))
        throw refused(name, "must be an integer of 64 bits");
      return;
    }
    default:
      if (raw !== '""')
        throw refused(
          name,
          "is a reserved field that this host does not store. Rename or remove the field",
        );
  }
}

function refused(name: string, problem: string): HostError {
  return new HostError("REQUEST_INVALID", `${name} ${problem}.`, { metadata: { field: name } });
}
