import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { AddressPolicy } from "../network/address-policy.js";
import type { ClientTls } from "../network/tls.js";
import type { DestinationScheme, OpenedUri, OpenRequest } from "../registry.js";
import { S3Bucket } from "./bucket.js";
import { endpointInEnvironment, S3Connection } from "./client.js";
import { S3Destination, type ProbedStore } from "./destination.js";
import { formatS3Uri, parseS3Uri, type S3Endpoint, type S3Uri } from "./uri.js";

/** Options of the S3Scheme. */
export interface S3SchemeOptions {
  platform: Platform;
  /** Addresses to which the host may connect. */
  policy: AddressPolicy;
  tls: ClientTls;
  /** Server of s3: URIs. Default: AWS, or the endpoint in the environment or the profile. */
  endpoint?: S3Endpoint | undefined;
  /** Default: that of the environment or the profile; us-east-1 with an endpoint. */
  region?: string | undefined;
  /** Whether the bucket is in the path of a request. Default: with an endpoint. */
  pathStyle?: boolean | undefined;
  /** URIs below which backups must be. Default: no restriction. */
  roots?: readonly S3Uri[] | undefined;
  /**
   * Directory for packing and fetching archives, on the disk of the indexes. The host empties it when it
   * starts.
   */
  temporaryDirectory: string;
}

/** Opens s3:, s3+https: and s3+http: URIs, each of which names a prefix of backups or an archive. */
export class S3Scheme implements DestinationScheme {
  readonly containers = ["DIRECTORY", "ZIP"] as const;
  readonly #options: S3SchemeOptions;
  readonly #stores = new Map<string, Store>();

  constructor(options: S3SchemeOptions) {
    this.#options = options;
  }

  async open({ uri: text, purpose, bearer }: OpenRequest): Promise<OpenedUri> {
    if (bearer !== undefined) {
      throw new HostError(
        "REQUEST_INVALID",
        "An S3 destination takes no bearer token. The host uses the credentials of its environment.",
        { metadata: { field: "bearer" } },
      );
    }
    const uri = parseS3Uri(text);
    this.#requireInRoots(uri);
    const store = await this.#storeOf(uri);
    const archive = this.#archive(uri, store);
    const server = uri.endpoint ?? this.#options.endpoint ?? endpointInEnvironment();
    const identity = formatS3Uri(server === undefined ? uri : { ...uri, endpoint: server });
    const opened = { uri: formatS3Uri(uri), identity };
    if (purpose === "write archive") {
      // A listing finds archives by their names.
      if (archive && /\.zip$/i.test(archive.object)) return { ...opened, ...archive };
      throw new HostError(
        "DESTINATION_INVALID",
        `A backup of type ZIP needs the name of an archive, which ends with .zip: use ${opened.uri}/NAME.zip.`,
        { metadata: { field: "destination" } },
      );
    }
    const isArchive =
      purpose === "read" &&
      archive !== undefined &&
      (await archive.destination.stat(
        archive.object,
        AbortSignal.timeout(limits.httpRetryTimeoutMs),
      )) !== undefined;
    return isArchive
      ? { ...opened, ...archive }
      : { ...opened, destination: this.#destination(uri, store) };
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    for (const { connection } of this.#stores.values()) await connection.close();
    this.#stores.clear();
  }

  /** Returns the object that a URI names and the prefix that contains it, if it names one. */
  #archive(uri: S3Uri, store: Store): { destination: S3Destination; object: string } | undefined {
    const object = uri.path.at(-1);
    if (object === undefined) return undefined;
    const prefix = { ...uri, path: uri.path.slice(0, -1) };
    return { destination: this.#destination(prefix, store), object };
  }

  #destination(uri: S3Uri, { connection, probed }: Store): S3Destination {
    const { platform, temporaryDirectory } = this.#options;
    const uriOf = (key: string) => formatS3Uri({ ...uri, path: key.split("/").filter(Boolean) });
    const bucket = new S3Bucket(connection, uri.bucket, uriOf);
    return new S3Destination({ platform, uri, bucket, probed, temporaryDirectory });
  }

  async #storeOf({ endpoint, bucket }: S3Uri): Promise<Store> {
    const key = `${endpoint?.url ?? ""}/${bucket}`;
    const found = this.#stores.get(key);
    if (found) return found;
    const { platform, policy, tls, region, pathStyle } = this.#options;
    const store = {
      connection: new S3Connection({
        platform,
        policy,
        tls,
        region,
        pathStyle: endpoint === undefined ? pathStyle : true,
        endpoint: endpoint ?? this.#options.endpoint,
      }),
      probed: {},
    };
    const [oldest] = this.#stores;
    if (oldest && this.#stores.size >= limits.s3Stores) {
      this.#stores.delete(oldest[0]);
      await oldest[1].connection.close();
    }
    this.#stores.set(key, store);
    return store;
  }

  #requireInRoots(uri: S3Uri): void {
    const { roots } = this.#options;
    if (roots === undefined || roots.some((root) => isWithin(uri, root))) return;
    throw new HostError(
      "PATH_OUTSIDE_ROOTS",
      `${formatS3Uri(uri)} is not below a backup root of the host. Use one of the roots, or start the host with --backup-root ${formatS3Uri({ ...uri, path: [] })}.`,
      { metadata: { field: "destination" } },
    );
  }
}

/** Connections to a store, and what it enforces. */
interface Store {
  connection: S3Connection;
  probed: ProbedStore;
}

/** Whether a URI is a root or below it. */
function isWithin(uri: S3Uri, root: S3Uri): boolean {
  return (
    uri.endpoint?.url === root.endpoint?.url &&
    uri.bucket === root.bucket &&
    root.path.every((name, i) => uri.path[i] === name)
  );
}
