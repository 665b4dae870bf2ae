import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FieldDifference } from "../../document/compare.js";
import type { Action, DocumentVersion } from "../../document/document.js";
import { bodyLine } from "../../document/render.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import {
  BodyFormat,
  DocumentAction,
  type DocumentSchema,
  type FieldDifferenceSchema,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { structOf, type RequestBody } from "../services/document-body.js";
import { toInt64 } from "./numbers.js";

type DocumentInit = MessageInitShape<typeof DocumentSchema>;

const actions: Record<Action, DocumentAction> = {
  POST: DocumentAction.POST,
  PATCH: DocumentAction.PATCH,
  PUT: DocumentAction.PUT,
  DELETE: DocumentAction.DELETE,
};

/**
 * Converts the result of a read. Throws REQUEST_INVALID if the body cannot be represented in the
 * requested format.
 */
export function readDocument(version: DocumentVersion, format: BodyFormat): DocumentInit {
  const init = { ...headOf(version), body: bodyOf(version, format) };
  if (init.body !== undefined) return init;
  if (version.body.length > limits.structBytes) {
    throw new HostError(
      "REQUEST_INVALID",
      `${version.link} has ${version.body.length} bytes, which exceeds the limit of ${limits.structBytes} bytes for a Struct. Request the body as json.`,
      { metadata: { link: version.link } },
    );
  }
  throw new HostError(
    "REQUEST_INVALID",
    `${version.link} contains a number beyond 2^53, which a Struct would round. Request the body as json.`,
    { metadata: { link: version.link } },
  );
}

/**
 * Converts the result of a write to the requested format (default: that of the request). Never
 * fails, because the write has been committed.
 */
export function writtenDocument(
  version: DocumentVersion,
  format: BodyFormat,
  request: RequestBody["case"],
): DocumentInit {
  const effectiveFormat =
    format === BodyFormat.UNSPECIFIED && request === "fields" ? BodyFormat.FIELDS : format;
  return { ...headOf(version), body: bodyOf(version, effectiveFormat) ?? jsonOf(version) };
}

/** Converts the difference of a field. */
export const toFieldDifference = ({
  path,
  from,
  to,
}: FieldDifference): MessageInitShape<typeof FieldDifferenceSchema> => ({
  path,
  ...(from !== undefined && { fromJson: from }),
  ...(to !== undefined && { toJson: to }),
});

function headOf(version: DocumentVersion) {
  return {
    selfLink: version.link,
    version: toInt64(version.version),
    updateTimeMicros: toInt64(version.updateTimeMicros),
    action: actions[version.action],
    kind: version.kind,
    owner: version.owner,
    expirationTimeMicros: toInt64(version.expirationTimeMicros),
    etag: `"${version.version}"`,
  };
}

/** Returns undefined if a Struct would round a number or be too large. */
function bodyOf(version: DocumentVersion, format: BodyFormat): DocumentInit["body"] {
  if (format === BodyFormat.NONE) return { case: undefined };
  if (format !== BodyFormat.FIELDS) return jsonOf(version);
  const struct = structOf(version.body);
  return "fields" in struct ? { case: "fields", value: struct.fields } : undefined;
}

function jsonOf(version: DocumentVersion): NonNullable<DocumentInit["body"]> {
  return { case: "json", value: new TextEncoder().encode(bodyLine(version)) };
}
