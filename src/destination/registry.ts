import { HostError } from "../errors.js";
import type { ContainerKind } from "../segment/description.js";
import type { Destination } from "./destination.js";
import { schemeOf } from "./file/uri.js";

/** Purpose of opening a URI: write one archive, write many objects, or read an existing backup. */
export type Purpose = "write archive" | "write objects" | "read";

/** A URI to open. */
export interface OpenRequest {
  /** The URI as in the request. */
  uri: string;
  purpose: Purpose;
  /** Bearer token for the origin of the URI. Never in messages. */
  bearer?: string | undefined;
}

/** The destination that a URI names. */
export interface OpenedUri {
  destination: Destination;
  /** Name of the object. Absent if the URI names the whole destination. */
  object?: string;
  /** URI of the backup, without credentials. */
  uri: string;
  /** Name of the target in records. Default: `uri`. */
  target?: string;
  /** Equal for every way to write the URI of the same namespace or object. Default: `uri`. */
  identity?: string;
}

/** Opens the destinations whose URIs have a certain scheme. */
export interface DestinationScheme {
  /** Supported container types. */
  readonly containers: readonly ContainerKind[];
  /** Whether an archive may omit segments that its reader has already. Default: false. */
  readonly incrementalArchives?: boolean;
  /**
   * Opens a URI. Checks what can be checked without writing: DESTINATION_INVALID,
   * DESTINATION_MISSING, DESTINATION_OCCUPIED, PATH_OUTSIDE_ROOTS, ADDRESS_NOT_ALLOWED,
   * BACKUP_NOT_FOUND.
   */
  open(request: OpenRequest): Promise<OpenedUri>;
}

/** Opens URIs by their scheme. */
export class DestinationRegistry {
  readonly #schemes: ReadonlyMap<string, DestinationScheme>;

  /** The keys are schemes in lower case, without the colon. */
  constructor(schemes: Readonly<Record<string, DestinationScheme>>) {
    this.#schemes = new Map(Object.entries(schemes));
  }

  /** Returns the scheme of a URI. Throws DESTINATION_INVALID for a missing or unknown scheme. */
  schemeOf(uri: string): DestinationScheme {
    const metadata = { field: "destination" };
    if (uri === "") {
      throw new HostError(
        "DESTINATION_INVALID",
        "A destination is required: use file:/absolute/path or https://host/path.",
        { metadata },
      );
    }
    const name = schemeOf(uri);
    const scheme = this.#schemes.get(name);
    if (scheme) return scheme;
    const known = [...this.#schemes.keys()].join(":, ");
    throw new HostError(
      "DESTINATION_INVALID",
      `Unknown scheme ${name}:. Use one of ${known}:, for example file:/absolute/path.`,
      { metadata },
    );
  }

  /** Opens a URI. Throws the errors of its scheme. */
  open(request: OpenRequest): Promise<OpenedUri> {
    return this.schemeOf(request.uri).open(request);
  }
}
