import { HostError } from "../errors.js";
import type { ContainerKind } from "../segment/description.js";
import type { Destination } from "./destination.js";
import { schemeOf } from "./file/uri.js";

/** What a URI is opened for: to write one archive, to write many objects, or to read whatever is there. */
export type Purpose = "write archive" | "write objects" | "read";

export interface OpenRequest {
  /** As it came in the request. */
  uri: string;
  purpose: Purpose;
  /** A bearer token for the destination's own origin; kept out of every message. */
  bearer?: string | undefined;
}

/** What a URI names: an object of a destination, or, without `object`, the whole destination. */
export interface OpenedUri {
  destination: Destination;
  object?: string;
  /** Where the backup is, without credentials. */
  uri: string;
  /** What records call it. Default: `uri`. */
  target?: string;
}

/** All destinations whose URIs have the same scheme. */
export interface DestinationScheme {
  /** The ways of packing a backup that these destinations take; the only one where there is one. */
  readonly containers: readonly ContainerKind[];
  /** Whether an archive may leave out what its reader has already. Default: false. */
  readonly incrementalArchives?: boolean;
  /**
   * Opens a URI. Checks what can be checked without writing: DESTINATION_INVALID,
   * DESTINATION_MISSING, DESTINATION_OCCUPIED, PATH_OUTSIDE_ROOTS, ADDRESS_NOT_ALLOWED,
   * BACKUP_NOT_FOUND.
   */
  open(request: OpenRequest): Promise<OpenedUri>;
}

/** Finds the scheme of a URI. */
export class DestinationRegistry {
  readonly #schemes: ReadonlyMap<string, DestinationScheme>;

  /** By scheme, in lower case without the colon. */
  constructor(schemes: Readonly<Record<string, DestinationScheme>>) {
    this.#schemes = new Map(Object.entries(schemes));
  }

  /** DESTINATION_INVALID for a URI without a scheme, or with one that is not registered. */
  schemeOf(uri: string): DestinationScheme {
    const metadata = { field: "destination" };
    if (uri === "") {
      throw new HostError(
        "DESTINATION_INVALID",
        "A destination is required: file:/absolute/path or https://host/path.",
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

  /** Opens a URI, as its scheme does. */
  open(request: OpenRequest): Promise<OpenedUri> {
    return this.schemeOf(request.uri).open(request);
  }
}
