import type { Platform } from "../io/platform.js";
import { HttpScheme } from "./http/scheme.js";
import type { AddressPolicy } from "./network/address-policy.js";
import type { ClientTls } from "./network/tls.js";
import type { S3Options } from "./s3/options.js";
import { S3Scheme } from "./s3/scheme.js";
import { parseS3Endpoint, parseS3Uri } from "./s3/uri.js";

/** Options of openRemoteSchemes. */
export interface RemoteSchemesOptions {
  platform: Platform;
  /** Addresses to which the host may connect. */
  policy: AddressPolicy;
  tls: ClientTls;
  s3?: S3Options;
  /** URIs below which backups in object stores must be. Default: no restriction. */
  s3Roots?: readonly string[] | undefined;
  /** Directory for packing and fetching archives. The host empties it when it starts. */
  temporaryDirectory: string;
}

/** The schemes of destinations that are reached over the network. */
export interface RemoteSchemes {
  schemes: Record<"http" | "https" | "s3" | "s3+https" | "s3+http", HttpScheme | S3Scheme>;
  /** Closes connections. */
  close(): Promise<void>;
}

/** Opens the schemes http, https and s3. Throws DESTINATION_INVALID for an invalid endpoint or root. */
export function openRemoteSchemes({
  s3: { endpoint, region, addressing } = {},
  s3Roots,
  ...common
}: RemoteSchemesOptions): RemoteSchemes {
  const http = new HttpScheme(common);
  const s3 = new S3Scheme({
    ...common,
    region,
    ...(endpoint !== undefined && { endpoint: parseS3Endpoint(endpoint) }),
    ...(addressing !== undefined && { pathStyle: addressing === "path" }),
    ...(s3Roots !== undefined && { roots: s3Roots.map(parseS3Uri) }),
  });
  const schemes = { http, https: http, s3, "s3+https": s3, "s3+http": s3 };
  return { schemes, close: () => s3.close() };
}
