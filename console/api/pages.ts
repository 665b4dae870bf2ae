import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "./request.js";

/** The items of the pages that were asked for. */
export interface Pages<Item> {
  items?: Item[];
  hasMore: boolean;
  isLoading: boolean;
  error?: ApiError;
  /** Asks for the next page. */
  more: () => void;
}

interface Read<Item> {
  items: Item[];
  next: string;
}

/** Reads a listing page by page, anew when an input changes. `ask` returns undefined for no listing. */
export function usePages<Item>(
  ask: (pageToken: string, signal: AbortSignal) => Promise<Read<Item>> | undefined,
  inputs: readonly unknown[],
): Pages<Item> {
  const [read, setRead] = useState<Read<Item>>();
  const [error, setError] = useState<ApiError>();
  const [isLoading, setLoading] = useState(false);
  const abort = useRef<AbortController>(undefined);

  const load = async (known: Item[], pageToken: string) => {
    abort.current?.abort();
    const controller = new AbortController();
    abort.current = controller;
    const asked = ask(pageToken, controller.signal);
    if (asked === undefined) return;
    setLoading(true);
    setError(undefined);
    try {
      const page = await asked;
      if (!controller.signal.aborted)
        setRead({ items: [...known, ...page.items], next: page.next });
    } catch (thrown) {
      if (!controller.signal.aborted) setError(thrown as ApiError);
    } finally {
      if (abort.current === controller) setLoading(false);
    }
  };

  useEffect(() => {
    setRead(undefined);
    setError(undefined);
    void load([], "");
    return () => abort.current?.abort();
  }, inputs);

  return {
    ...(read && { items: read.items }),
    hasMore: read !== undefined && read.next !== "",
    isLoading,
    ...(error && { error }),
    more: () => void load(read?.items ?? [], read?.next ?? ""),
  };
}
