import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { BackupRequest, BackupResult } from "../../src/backup/backup-request.js";
import type { RestoreRequest, RestoreResult } from "../../src/backup/restore-request.js";
import type { HostOptions } from "../../src/host/options.js";
import type { LeaseOptions, TransferOptions } from "../../src/io/platform-options.js";
import { systemPlatform, type Platform } from "../../src/io/platform.js";
import { signatureName } from "../../src/segment/format.js";
import { decodeManifest } from "../../src/segment/manifest.js";
import { hostFixture, type HostFixture } from "./host-fixture.js";

const indexLink = "/core/document-index";

/** Short timeouts, so that a test of a lasting failure takes a second. */
export const shortTransfer: TransferOptions = {
  retryTimeoutMs: 1500,
  idleTimeoutMs: 300,
  backOffMs: 5,
};
export const shortLease: LeaseOptions = { heartbeatMs: 100, expiryMs: 1200 };

/** A host with short timeouts that backs up to S3. */
export interface S3Fixture extends HostFixture {
  backupTo(destination: string, more?: Partial<BackupRequest>): Promise<BackupResult>;
  restoreFrom(source: string, more?: Partial<RestoreRequest>): Promise<RestoreResult>;
  /** Files that transfers left on the disk of the host. */
  leftovers(): string[];
}

/** Starts a host. `shared`: it runs until the last test of the file. */
export async function s3Fixture(
  platform: Partial<Platform> = {},
  more: Partial<HostOptions> = {},
  { root, shared = false }: { root?: string; shared?: boolean } = {},
): Promise<S3Fixture> {
  const fixture = await hostFixture(
    {
      ...more,
      platform: { ...systemPlatform, transfer: shortTransfer, lease: shortLease, ...platform },
    },
    root,
    shared,
  );
  const { finish } = fixture;
  return Object.assign(fixture, {
    backupTo: (destination: string, request: Partial<BackupRequest> = {}) =>
      finish<BackupResult>(
        fixture.host.management.backup({
          destination,
          container: "DIRECTORY",
          indexLink,
          ...request,
        }),
      ),
    restoreFrom: (source: string, request: Partial<RestoreRequest> = {}) =>
      finish<RestoreResult>(fixture.host.management.restore({ source, indexLink, ...request })),
    leftovers: () => readdirSync(join(fixture.root, "data", "temporary")),
  });
}

/** Names below a prefix, which ends with a slash, as the store lists them. */
export async function namesBelow(
  { client, bucket }: { client: S3Client; bucket: string },
  prefix: string,
): Promise<string[]> {
  const names: string[] = [];
  for (let token: string | undefined, more = true; more;) {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ...(token !== undefined && { ContinuationToken: token }),
      }),
    );
    names.push(...(page.Contents ?? []).map(({ Key = "" }) => Key.slice(prefix.length)));
    token = page.NextContinuationToken;
    more = page.IsTruncated === true && token !== undefined;
  }
  return names;
}

/** Keys of multipart uploads that are neither complete nor aborted. */
export async function openUploads(
  { client, bucket }: { client: S3Client; bucket: string },
  prefix: string,
): Promise<string[]> {
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }),
  );
  return Uploads.map(({ Key = "" }) => Key);
}

/** The bytes of an object, as the store has them. */
export async function bytesAt(
  { client, bucket }: { client: S3Client; bucket: string },
  key: string,
): Promise<Uint8Array> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToByteArray()) ?? new Uint8Array();
}

/** Objects below a prefix that are neither a manifest nor listed by one, nor an archive. */
export async function straysBelow(
  store: { client: S3Client; bucket: string },
  prefix: string,
): Promise<string[]> {
  const names = await namesBelow(store, prefix);
  const listed = new Set<string>();
  for (const name of names.filter((one) => /^manifest-.*\.json$/.test(one))) {
    const { manifest } = decodeManifest(name, await bytesAt(store, `${prefix}${name}`));
    for (const each of [name, signatureName(name), ...manifest.segments.map((one) => one.name)])
      listed.add(each);
  }
  return names.filter((name) => !listed.has(name) && !name.endsWith(".zip"));
}
