import { useEffect, useRef, useState } from "preact/hooks";
import type { ListedBackupJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { listBackups, type BackupSource } from "./backups.js";
import type { ApiError } from "./request.js";

/** Backups of a page: what a person reads at once, and at most about 1 MB. */
const pageSize = 100;

/** The newest backups of a source. */
export interface BackupList {
  backups?: ListedBackupJson[];
  /** Whether there are older ones. */
  hasMore: boolean;
  isLoading: boolean;
  error?: ApiError;
  /** When they were listed, in microseconds since 1970. */
  listedMicros?: number;
  /** Lists as many as are known, anew. */
  reload: () => void;
  /** Lists the next page. */
  more: () => void;
}

interface Listed {
  backups: ListedBackupJson[];
  nextPageToken: string;
  listedMicros: number;
}

/** Lists the backups of a source, page by page. It is not asked again by itself: a listing reads all manifests. */
export function useBackupList(source: BackupSource | undefined): BackupList {
  const [listed, setListed] = useState<Listed>();
  const [error, setError] = useState<ApiError>();
  const [isLoading, setLoading] = useState(false);
  const abort = useRef<AbortController>(undefined);

  const load = async (known: ListedBackupJson[], token: string, wanted: number) => {
    if (!source) return;
    abort.current?.abort();
    const controller = new AbortController();
    abort.current = controller;
    setLoading(true);
    setError(undefined);
    let [backups, nextPageToken] = [known, token];
    const listedMicros = Date.now() * 1000;
    try {
      // A page may have fewer than asked for.
      do {
        const page = { size: pageSize, token: nextPageToken };
        const answer = await listBackups(source, page, controller.signal);
        backups = [...backups, ...(answer.backups ?? [])];
        nextPageToken = answer.nextPageToken ?? "";
      } while (backups.length < wanted && nextPageToken !== "");
      if (!controller.signal.aborted) setListed({ backups, nextPageToken, listedMicros });
    } catch (thrown) {
      if (!controller.signal.aborted) setError(thrown as ApiError);
    } finally {
      if (abort.current === controller) setLoading(false);
    }
  };

  useEffect(() => {
    setListed(undefined);
    void load([], "", pageSize);
    return () => abort.current?.abort();
  }, [source?.uri, source?.recursive]);

  const count = listed?.backups.length ?? 0;
  return {
    ...(listed && { backups: listed.backups, listedMicros: listed.listedMicros }),
    hasMore: listed !== undefined && listed.nextPageToken !== "",
    isLoading,
    ...(error && { error }),
    reload: () => void load([], "", Math.max(pageSize, count)),
    more: () => void load(listed?.backups ?? [], listed?.nextPageToken ?? "", count + 1),
  };
}
