import type { ContainerReader, ContainerWriter } from "../../container/container.js";
import type { IndexState } from "../../engine/engine.js";
import { schemeOf } from "../../destination/file/uri.js";
import { HostError } from "../../errors.js";
import type { Report } from "../../backup/report.js";
import type { BackupRequest, ContainerKind } from "./management-service.js";

/** Where a backup goes, checked as far as it can be before any work is done there. */
export interface BackupPlace {
  /** What the request named, without credentials: the same for the same request. */
  readonly target: string;
  /** Where the finished backup is, without credentials. */
  readonly uri: string;
  readonly container: ContainerKind;
  /** `index`: what is backed up; its size is what the backup will take at most, roughly. */
  open(signal: AbortSignal, report: Report, index: IndexState): Promise<ContainerWriter>;
  /** What is there already and how much is free, for a forecast; absent where that cannot be told without writing. */
  look?(): Promise<{ reader?: ContainerReader; freeBytes: number }>;
}

/** Where a backup comes from. */
export interface SourcePlace {
  /** Without credentials. */
  readonly uri: string;
  /** How the backup is described; absent: as its reader finds it. */
  readonly container?: ContainerKind;
  open(signal: AbortSignal, report: Report): Promise<ContainerReader>;
}

/** The places of one scheme. */
export interface SchemePlaces {
  destination(request: BackupRequest): Promise<BackupPlace>;
  source(uri: string, bearer?: string): Promise<SourcePlace>;
}

/** The places of a URI, by its scheme. Throws DESTINATION_INVALID where there is no such scheme. */
export type PlacesOf = (uri: string) => SchemePlaces;

export function placesByScheme(schemes: Readonly<Record<string, SchemePlaces>>): PlacesOf {
  return (uri) => {
    if (uri === "")
      throw new HostError(
        "DESTINATION_INVALID",
        "A destination is required: file:/absolute/path or https://host/path.",
        { metadata: { field: "destination" } },
      );
    const scheme = schemeOf(uri);
    const places = schemes[scheme];
    if (places) return places;
    const known = Object.keys(schemes).join(":, ");
    throw new HostError(
      "DESTINATION_INVALID",
      `The scheme ${scheme}: is not served; write one of ${known}:, for example file:/absolute/path.`,
      { metadata: { field: "destination" } },
    );
  };
}
