import { HostError } from "../errors.js";
import { exactInteger, isInt64 } from "./integers.js";
import { compactJson, type Members } from "./members.js";

/** Fields of a document that are maintained by the host, with their names on the wire. */
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
/** Name of a system field. */
export type SystemField = keyof typeof systemFields;

/** Returns the name as a SystemField, or undefined if it is not one. */
export function systemField(name: string): SystemField | undefined {
  return Object.hasOwn(systemFields, name) ? (name as SystemField) : undefined;
}

/**
 * The twelve names declared by Xenon's ServiceDocument. All other names belong to the document,
 * even if they start with "document". Xenon sets the principal and the transaction on each write,
 * so values sent for them are ignored. The last two are not supported, and values for them are
 * rejected.
 */
const reservedFields: Record<string, "text" | "integer" | "unsupported"> = {
  ...systemFields,
  documentAuthPrincipalLink: "text",
  documentTransactionId: "text",
  documentSourceLink: "unsupported",
  documentDescription: "unsupported",
};

/**
 * Returns the members that belong to the body, each value as compact JSON, since an export writes
 * one document per line. Throws REQUEST_INVALID for an invalid value of a reserved field.
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
      if (!raw.startsWith('"')) throw invalidField(name, "must be a string");
      return;
    case "integer": {
      const value = exactInteger(raw);
      if (value === undefined || !isInt64(value))
        throw invalidField(name, "must be a 64-bit integer");
      return;
    }
    default:
      if (raw !== '""')
        throw invalidField(
          name,
          "is a reserved field that is not supported. Rename or remove the field",
        );
  }
}

function invalidField(name: string, problem: string): HostError {
  return new HostError("REQUEST_INVALID", `${name} ${problem}.`, { metadata: { field: name } });
}
