import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Action, DocumentVersion } from "../../document/document.js";
import { bodyLine } from "../../document/render.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import {
  BodyFormat,
  DocumentAction,
  type DocumentSchema,
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

/** The answer of a read. Throws REQUEST_INVALID where the format cannot hold the body. */
export function readDocument(version: DocumentVersion, format: BodyFormat): DocumentInit {
  const init = { ...headOf(version), body: bodyOf(version, format) };
  if (init.body !== undefined) return init;
  if (version.body.length > limits.structBytes) {
    throw new HostError(
      "REQUEST_INVALID",
      `${version.link} has ${version.body.length} bytes, more than the ${limits.structBytes} of a Struct. Ask for the body as json.`,
      { metadata: { link: version.link } },
    );
  }
  throw new HostError(
    "REQUEST_INVALID",
    `${version.link} holds a number beyond 2^53, which a Struct would round. Ask for the body as json.`,
    { metadata: { link: version.link } },
  );
}

/** The answer of a write: in the form of the request, unless another is asked for. It has happened, so it is never refused. */
export function writtenDocument(
  version: DocumentVersion,
  format: BodyFormat,
  request: RequestBody["case"],
): DocumentInit {
  const asked =
    format === BodyFormat.UNSPECIFIED && request === "fields" ? BodyFormat.FIELDS : format;
  return { ...headOf(version), body: bodyOf(version, asked) ?? jsonOf(version) };
}

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

/** Undefined: a Struct would round a number, or is too large. */
function bodyOf(version: DocumentVersion, format: BodyFormat): DocumentInit["body"] {
  if (format === BodyFormat.NONE) return { case: undefined };
  if (format !== BodyFormat.FIELDS) return jsonOf(version);
  const struct = structOf(version.body);
  return "fields" in struct ? { case: "fields", value: struct.fields } : undefined;
}

function jsonOf(version: DocumentVersion): NonNullable<DocumentInit["body"]> {
  return { case: "json", value: new TextEncoder().encode(bodyLine(version)) };
}
