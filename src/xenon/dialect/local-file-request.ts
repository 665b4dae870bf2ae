import type { IncomingMessage } from "node:http";
import { parseMembers } from "../../document/members.js";
import { HostError } from "../../errors.js";
import type { NewFileService, Place } from "../local-files/file-service.js";

const invalid = (problem: string, field: string) =>
  new HostError("REQUEST_INVALID", problem, { metadata: { field } });

/** The body of a POST to /local-files. */
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

/** The body of a PATCH: whether writing is finished, all that can be changed. */
export function readFinished(text: string): boolean {
  const finished = membersOf(text)("writeFinished");
  if (typeof finished !== "boolean")
    throw invalid(
      "writeFinished must be true or false; nothing else of a file service can be changed.",
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
 * Where the body of a PUT belongs, by its headers. Xenon counts the end of a Content-Range out and RFC 9110 counts it in: the
 * length of the body tells which. Throws REQUEST_INVALID for what contradicts itself.
 */
export function placeOf({ headers }: IncomingMessage): Place {
  const type = headers["content-type"] ?? "";
  if (
    /^(application\/([\w.+-]+\+)?json|application\/x-www-form-urlencoded|multipart\/)/i.test(type)
  )
    throw invalid(
      `A file is sent as application/octet-stream, not ${type.slice(0, 100)}.`,
      "content-type",
    );
  if (headers["content-encoding"] !== undefined && headers["content-encoding"] !== "identity")
    throw invalid(
      "A body with a content encoding is not taken; send it plain.",
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
  return { ...announced, ...rangePlace(header, length) };
}

/** The SHA-256 of a Repr-Digest (RFC 9530), of the whole file whatever part of it is sent; others are passed over, as the RFC has it. */
function digestOf(header: string | string[] | undefined): string | undefined {
  const [, digest] = /(?:^|,)[ \t]*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(String(header ?? "")) ?? [];
  return digest === undefined ? undefined : Buffer.from(digest, "base64").toString("hex");
}

function rangePlace(header: string, length: number | undefined): Place {
  const wrong = (problem: string) =>
    invalid(
      `Content-Range ${JSON.stringify(header.slice(0, 100))} ${problem}. Nothing was taken.`,
      "content-range",
    );
  const [, first, last, whole] =
    /^bytes +(\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(header.trim()) ?? [];
  if (first === undefined || last === undefined || whole === undefined)
    throw wrong("is none that is taken; write bytes FIRST-LAST/TOTAL, all of them numbers");
  const [start, end, total] = [Number(first), Number(last), Number(whole)];
  if (end < start) throw wrong("ends before it starts");
  if (start > total || end > total) throw wrong("goes beyond its total");
  // The last byte itself, or the place after it.
  const lengths = [end - start, end - start + 1].filter(
    (one) => start + one <= total && (one > 0 || total === 0),
  );
  if (lengths.length === 0) throw wrong("has no bytes");
  if (length === undefined) return { start, total, lengths };
  if (!lengths.includes(length))
    throw wrong(`is of ${lengths.join(" or ")} bytes, and the body has ${length}`);
  return { start, total, lengths: [length] };
}
