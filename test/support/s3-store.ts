import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import { freePort } from "./free-port.js";
import { beforeRemoval, temporaryDirectory } from "./temporary-directory.js";

/** Credentials of the stores, which the tested host takes from its environment as a user's would. */
const credentials = { accessKeyId: "holdfast-test", secretAccessKey: "holdfast-test-secret" };

/** An S3-compatible store on loopback with one bucket. */
export interface S3Store {
  /** URI of the bucket: s3+http://127.0.0.1:PORT/BUCKET. */
  uri: string;
  port: number;
  bucket: string;
  /** A client for looking at the bucket from outside. */
  client: S3Client;
}

/** Options of the stores. */
export interface S3StoreOptions {
  versioning?: boolean;
  objectLock?: boolean;
  /** Serves https: files with the certificate and its key, and the CA that issued it. */
  tls?: { certificateFile: string; keyFile: string; ca: string };
}

/** Returns the path of a program that the set-up of the tests installs, or undefined with a message. */
function programPath(name: string, folder: string): string | undefined {
  const places = [resolve(".cache", folder), ...(process.env["PATH"] ?? "").split(delimiter)].map(
    (directory) => join(directory, name),
  );
  const found = places.find((path) => existsSync(path));
  if (found === undefined)
    console.warn(`SKIPPED: tests with ${name}, which .ci/run installs in .cache/${folder}.`);
  return found;
}

const versitygw = programPath("versitygw", "go-bin");
const rclone = programPath("rclone", "rclone/bin");

/** Whether versitygw is installed: a store that enforces conditions, checksums and object lock. */
export const haveVersitygw = versitygw !== undefined;
/** Whether rclone is installed: a store that enforces none of them. */
export const haveRclone = rclone !== undefined;

/** Starts versitygw, which serves files of a new directory. */
export async function strictStore(options: S3StoreOptions = {}): Promise<S3Store> {
  const directory = temporaryDirectory();
  for (const name of ["data", "versions", "sidecar"]) mkdirSync(join(directory, name));
  const port = await freePort();
  const versioning = options.versioning === true || options.objectLock === true;
  const { accessKeyId, secretAccessKey } = credentials;
  return start(versitygw, port, options, [
    ...["--port", `127.0.0.1:${port}`, "--access", accessKeyId, "--secret", secretAccessKey],
    ...(options.tls ? ["--cert", options.tls.certificateFile, "--key", options.tls.keyFile] : []),
    ...["--keep-alive", "--quiet", "posix", "--sidecar", join(directory, "sidecar")],
    ...(versioning ? ["--versioning-dir", join(directory, "versions")] : []),
    join(directory, "data"),
  ]);
}

/** Starts rclone, which serves files of a new directory. */
export async function laxStore(): Promise<S3Store> {
  const directory = temporaryDirectory();
  const port = await freePort();
  const { accessKeyId, secretAccessKey } = credentials;
  return start(rclone, port, {}, [
    ...["serve", "s3", "--addr", `127.0.0.1:${port}`, "--config", join(directory, "none")],
    ...["--auth-key", `${accessKeyId},${secretAccessKey}`, "--vfs-cache-mode", "off"],
    join(directory),
  ]);
}

async function start(
  program: string | undefined,
  port: number,
  { versioning, objectLock, tls }: S3StoreOptions,
  args: string[],
): Promise<S3Store> {
  const child = spawn(program ?? "", args, { stdio: "ignore" });
  beforeRemoval(() => stop(child));
  process.env["AWS_ACCESS_KEY_ID"] = credentials.accessKeyId;
  process.env["AWS_SECRET_ACCESS_KEY"] = credentials.secretAccessKey;
  // Nothing asks the network for credentials.
  process.env["AWS_EC2_METADATA_DISABLED"] = "true";
  const scheme = tls ? "https" : "http";
  const client = new S3Client({
    endpoint: `${scheme}://127.0.0.1:${port}`,
    ...(tls && { requestHandler: { httpsAgent: { ca: tls.ca } } }),
    region: "us-east-1",
    forcePathStyle: true,
    credentials,
  });
  beforeRemoval(async () => client.destroy());
  const bucket = "backups";
  for (let left = 100; ; left -= 1) {
    try {
      await client.send(
        new CreateBucketCommand({
          Bucket: bucket,
          ...(objectLock && { ObjectLockEnabledForBucket: true }),
        }),
      );
      break;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(100);
    }
  }
  if (versioning) {
    await client.send(
      new PutBucketVersioningCommand({
        Bucket: bucket,
        VersioningConfiguration: { Status: "Enabled" },
      }),
    );
  }
  return { uri: `s3+${scheme}://127.0.0.1:${port}/${bucket}`, port, bucket, client };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, "exit");
}
