import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { StoreFeature } from "../destination.js";
import type { S3Bucket } from "./bucket.js";

/** What a store enforces, found out by trying. */
export interface StoreFeatures {
  /** If-None-Match: an object is created only if it does not exist. */
  conditionalCreate: boolean;
  /** If-Match: an object is replaced only if it is the same as before. */
  conditionalUpdate: boolean;
  /** If-Match: an object is removed only if it is the same as before. */
  conditionalRemove: boolean;
  /**
   * If-None-Match: a removed object can be created again. With versioning, some stores take the mark of a
   * removal for an object.
   */
  conditionalRecreate: boolean;
  /** Whether the store refuses bytes that do not match their SHA-256, and reports the SHA-256 afterwards. */
  checksums: boolean;
  /** Whether a listing shows what was just written, and not what was just removed. */
  listConsistency: boolean;
  /** Whether the bucket can lock objects. Undefined: the host may not read that. */
  objectLock: boolean | undefined;
}

/** The ETag of no object. */
const otherObject = { etag: '"00000000000000000000000000000000"' };

/** Tries an object that no backup uses, and removes it. `key` is its name. Throws the errors of the bucket. */
export async function probeStore(
  bucket: S3Bucket,
  prefix: string,
  name: string,
  signal: AbortSignal,
): Promise<StoreFeatures> {
  const key = `${prefix}${name}`;
  const bodyOf = (text: string, sha256?: string) => {
    const bytes = Buffer.from(text);
    return { sizeBytes: bytes.length, sha256, open: () => bytes };
  };
  // The prefix may contain many other objects.
  const nearly = name.slice(0, -1);
  const isListed = async () => {
    for await (const entry of bucket.list(`${prefix}${nearly}`, signal))
      if (`${nearly}${entry.name}` === name) return true;
    return false;
  };
  try {
    await bucket.put(key, bodyOf("1"), { signal });
    const isShown = await isListed();
    const conditionalCreate = await refuses(() =>
      bucket.put(key, bodyOf("2"), { signal, condition: { absent: true } }),
    );
    const conditionalUpdate = await refuses(() =>
      bucket.put(key, bodyOf("3"), {
        signal,
        condition: otherObject,
      }),
    );
    const checksums =
      (await refuses(() => bucket.put(key, bodyOf("4", "00".repeat(32)), { signal }))) &&
      (await reportsChecksum(bucket, key, signal));
    const objectLock = await bucket.hasObjectLock(signal);
    const conditionalRemove =
      conditionalUpdate && (await refuses(() => bucket.remove(key, signal, otherObject)));
    await bucket.remove(key, signal);
    const listConsistency = isShown && !(await isListed());
    const conditionalRecreate =
      conditionalCreate &&
      !(await refuses(() => bucket.put(key, bodyOf("6"), { signal, condition: { absent: true } })));
    if (conditionalRecreate) await bucket.remove(key, signal);
    return {
      conditionalCreate,
      conditionalUpdate,
      conditionalRemove,
      conditionalRecreate,
      checksums,
      listConsistency,
      objectLock,
    };
  } catch (error) {
    // The signal may be aborted. What remains, the next backup removes.
    await bucket.remove(key, AbortSignal.timeout(limits.s3ReleaseMs)).catch(() => {});
    throw error;
  }
}

/** Whether a write is refused. Failures of another kind are thrown, because they say nothing about the store. */
async function refuses(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return false;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    if (error.reason === "DESTINATION_OCCUPIED") return true;
    // A store that does not know a header refuses the request without enforcing anything.
    if (error.reason === "NOT_SUPPORTED") return false;
    if (error.reason === "DESTINATION_REFUSED" && error.metadata["status"] === "400")
      return /^(BadDigest|InvalidDigest|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|InvalidRequest)$/.test(
        error.metadata["s3Code"] ?? "",
      );
    throw error;
  }
}

async function reportsChecksum(
  bucket: S3Bucket,
  key: string,
  signal: AbortSignal,
): Promise<boolean> {
  const bytes = Buffer.from("5");
  const sha256 = "ef2d127de37b942baad06145e54b0c619a1f22327b2ebbcfbec78f5564afe39d";
  await bucket.put(key, { sizeBytes: bytes.length, sha256, open: () => bytes }, { signal });
  const found = await bucket.head(key, signal);
  return found?.checksum === Buffer.from(sha256, "hex").toString("base64");
}

/** Describes the features for users. */
export function describeFeatures(features: StoreFeatures): StoreFeature[] {
  const { conditionalCreate, conditionalUpdate, checksums, listConsistency, objectLock } = features;
  return [
    {
      name: "conditional create",
      enforced: conditionalCreate,
      ...(!conditionalCreate && {
        consequence: "two hosts at one prefix can interfere: use one prefix per host",
      }),
    },
    {
      name: "conditional update",
      enforced: conditionalUpdate,
      ...(!conditionalUpdate && {
        consequence:
          "the lock of the prefix is not reliable between hosts: use one prefix per host",
      }),
    },
    {
      name: "checksums",
      enforced: checksums,
      ...(!checksums && { consequence: "every object is read back after it was stored" }),
    },
    {
      name: "list consistency",
      enforced: listConsistency,
      ...(!listConsistency && {
        consequence: "a backup may not see the previous one, and then starts a new base",
      }),
    },
    {
      name: "object lock",
      enforced: objectLock === true,
      ...(objectLock !== true && {
        consequence:
          objectLock === undefined
            ? "the host may not read whether the bucket supports it"
            : "whoever has the credentials of the host can remove backups",
      }),
    },
  ];
}
