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
