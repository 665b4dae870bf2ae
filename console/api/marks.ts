import { useEffect, useState } from "preact/hooks";
import type {
  HostJson,
  ListedBackupJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { listBackups } from "./backups.js";
import { knownDestinations } from "./destinations.js";
import { listPolicies } from "./host.js";
import { may } from "./may.js";

/** A moment on the timeline. */
export interface Mark {
  kind: "backup" | "restore test" | "failed restore test" | "restore";
  timeMicros: number;
  /** What happened, for people. */
  text: string;
}

/** Destinations and backups that are looked at: a listing reads all manifests of a destination. */
const most = { destinations: 3, backups: 100 };

/** The backups of an index, its restore tests, and where restores began a new history; backups are listed once. */
export function useMarks(host: HostJson, indexLink: string): Mark[] {
  const [listed, setListed] = useState<Mark[]>([]);
  // Its number changes with each backup, and with what is known of the destinations.
  const newest = Math.max(0, ...(host.backups ?? []).map((one) => Number(one.positionMicros ?? 0)));
  useEffect(() => {
    if (!may("backup")) return;
    const abort = new AbortController();
    listMarks(host, indexLink, abort.signal)
      .then(setListed)
      // The known ones are shown all the same.
      .catch(() => undefined);
    return () => abort.abort();
  }, [indexLink, newest]);
  const index = (host.indexes ?? []).find(({ link }) => link === indexLink);
  const restores = (index?.parents ?? []).map(({ positionMicros }): Mark => ({
    kind: "restore",
    timeMicros: Number(positionMicros ?? 0),
    text: "A restore went back to here",
  }));
  const known = (host.backups ?? [])
    .filter((one) => one.indexLink === indexLink && Number(one.positionMicros ?? 0) > 0)
    .map(({ positionMicros, destination }): Mark => ({
      kind: "backup",
      timeMicros: Number(positionMicros),
      text: `Backup at ${destination}`,
    }));
  const backups = listed.length > 0 ? listed : known;
  return [...backups, ...restores].sort((a, b) => b.timeMicros - a.timeMicros);
}

async function listMarks(host: HostJson, indexLink: string, signal: AbortSignal): Promise<Mark[]> {
  const { policies = [] } = await listPolicies(signal);
  const uris = knownDestinations(host, policies).slice(0, most.destinations);
  const marks = await Promise.all(
    uris.map(async ({ uri }) => {
      const page = { size: most.backups, token: "" };
      // A destination that is away has no marks.
      const found = await listBackups({ uri, recursive: false }, page, signal).catch(() => ({
        backups: [] as ListedBackupJson[],
      }));
      return (found.backups ?? [])
        .filter(({ backup }) => backup?.indexLink === indexLink)
        .flatMap((one) => marksOf(one, uri));
    }),
  );
  return marks.flat();
}

function marksOf({ backup, lastVerification }: ListedBackupJson, uri: string): Mark[] {
  const marks: Mark[] = [
    {
      kind: "backup",
      timeMicros: Number(backup?.positionMicros ?? 0),
      text: `Backup at ${uri}`,
    },
  ];
  if (lastVerification?.level === "VERIFY_LEVEL_TEST_RESTORE")
    marks.push({
      kind: lastVerification.passed ? "restore test" : "failed restore test",
      timeMicros: Number(lastVerification.timeMicros ?? 0),
      text: `Restore test at ${uri} ${lastVerification.passed ? "passed" : "failed"}`,
    });
  return marks;
}
