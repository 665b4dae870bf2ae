import { decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";

/** Returns a Buffer over the same bytes, as grpc-js requires. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Converts metadata to headers, with binary values in base64 as on the wire. */
export function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key))
      headers.append(key, typeof value === "string" ? value : encodeBinaryHeader(value));
  }
  return headers;
}

/** Converts headers to metadata; values of headers ending in -bin are decoded from base64. */
export function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata();
  headers.forEach((value, key) =>
    metadata.add(key, key.endsWith("-bin") ? asBuffer(decodeBinaryHeader(value)) : value),
  );
  return metadata;
}
