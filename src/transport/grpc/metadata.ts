import { decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";
import { Metadata } from "@grpc/grpc-js";

/** grpc-js wants a Buffer; this is one over the same bytes. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Metadata as headers, binary values in base64 as on the wire. */
export function headersOf(metadata: Metadata): Headers {
  const headers = new Headers();
  for (const key of Object.keys(metadata.getMap())) {
    for (const value of metadata.get(key))
      headers.append(key, typeof value === "string" ? value : encodeBinaryHeader(value));
  }
  return headers;
}

export function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata();
  headers.forEach((value, key) =>
    metadata.add(key, key.endsWith("-bin") ? asBuffer(decodeBinaryHeader(value)) : value),
  );
  return metadata;
}
