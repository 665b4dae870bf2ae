import type { IncomingMessage } from "node:http";
import { parseMembers } from "../../document/members.js";
import { HostError } from "../../errors.js";
import type { NewFileService, UploadRange } from "../local-files/file-service.js";

const invalid = (problem: string, field: string) =>
  new HostError("REQUEST_INVALID", problem, { metadata: { field } });

/** Parses the body of a POST to /local-files. */
export function readNewService(text: string): NewFileService {
  const members = membersOf(text);
  const link = members("documentSelfLink");
  if (link !== undefined && typeof link !== "string")
    throw invalid("documentSelfLink must be a string.", "documentSelfLink");
  const localFileUri = members("localFileUri");
  if (typeof localFileUri !== "string" || localFileUri === "")
    throw invalid("file scheme uri is required", "localFileUri");
  const fileOptions = members("fileOptions") ?? [];
  if (!Array.isArray(fileOptions) || !fileOptions.every((one) => typeof one === "string"))
    throw invalid(
      'fileOptions must be a list of names, for example ["WRITE","CREATE"].',
      "fileOptions",
    );
  return { localFileUri, fileOptions, ...(link !== undefined && { link }) };
}

/** Parses the body of a PATCH, which can only change writeFinished. */
export function readFinished(text: string): boolean {
  const finished = membersOf(text)("writeFinished");
  if (typeof finished !== "boolean")
    throw invalid(
      "writeFinished must be true or false; no other field of a file service can be changed.",
      "writeFinished",
    );
  return finished;
}

function membersOf(text: string): (name: string) => unknown {
  if (text.trim() === "") throw new HostError("REQUEST_INVALID", "no body given");
  const members = parseMembers(text);
  return (name) => {
    const raw = members.get(name);
    return raw === undefined || raw === "null" ? undefined : (JSON.parse(raw) as unknown);
  };
}

/**
 * Determines the range that the body of a PUT covers from its headers. The end of a Content-Range
 * is exclusive in Xenon and inclusive in RFC 9110; the length of the body distinguishes the two.
 * Throws REQUEST_INVALID for contradictory headers.
 */
export function uploadRangeOf({ headers }: IncomingMessage): UploadRange {
  const type = headers["content-type"] ?? "";
  if (
    /^(application\/([\w.+-]+\+)?json|application\/x-www-form-urlencoded|multipart\/)/i.test(type)
  )
    throw invalid(
      `Unsupported Content-Type ${type.slice(0, 100)}: a file must be sent as application/octet-stream.`,
      "content-type",
    );
  if (headers["content-encoding"] !== undefined && headers["content-encoding"] !== "identity")
    throw invalid(
      "Content-Encoding is not supported; send the body without encoding.",
      "content-encoding",
    );
  const length =
    headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : undefined;
  const header = headers["content-range"];
  const sha256 = digestOf(headers["repr-digest"]);
  const announced = sha256 === undefined ? {} : { sha256 };
  if (header === undefined) {
    if (length === 0) throw new HostError("REQUEST_INVALID", "no data to write");
    return { ...announced, ...(length !== undefined && { total: length }) };
  }
  return { ...announced, ...parseRange(header, length) };
}

/**
 * Returns the SHA-256 of the whole file from a Repr-Digest header (RFC 9530). Other algorithms are
 * ignored, as the RFC requires.
 */
function digestOf(header: string | string[] | undefined): string | undefined {
  const [, digest] = /(?:^|,)[ \t]*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(String(header ?? "")) ?? [];
  return digest === undefined ? undefined : Buffer.from(digest, "base64").toString("hex");
}

function parseRange(header: string, length: number | undefined): UploadRange {
  const wrong = (problem: string) =>
    invalid(
      `Invalid Content-Range ${JSON.stringify(header.slice(0, 100))}: ${problem}. No data was written.`,
      "content-range",
    );
  const [, first, last, whole] =
    /^bytes +(\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(header.trim()) ?? [];
  if (first === undefined || last === undefined || whole === undefined)
    throw wrong("must be bytes FIRST-LAST/TOTAL, all of them numbers");
  const [start, end, total] = [Number(first), Number(last), Number(whole)];
  if (end < start) throw wrong("ends before it starts");
  if (start > total || end > total) throw wrong("exceeds its total");
  // A Xenon whose last part is answered before earlier ones sends an empty part after the end.
  if (start === total && length === 0) return { start, total, lengths: [0] };
  // LAST is exclusive in Xenon and inclusive in RFC 9110.
  const lengths = [end - start, end - start + 1].filter(
    (one) => start + one <= total && (one > 0 || total === 0),
  );
  if (lengths.length === 0) throw wrong("is empty");
  if (length === undefined) return { start, total, lengths };
  if (!lengths.includes(length))
    throw wrong(`covers ${lengths.join(" or ")} bytes, but the body has ${length}`);
  return { start, total, lengths: [length] };
}
