import { useEffect, useRef, useState } from "preact/hooks";

/** What a button started. */
export interface Attempt {
  isBusy: boolean;
  /** Why the last one failed; empty if it did not. */
  problem: string;
  /** Runs work unless some is under way. Its signal is aborted when the component is no longer shown. */
  attempt: (work: (signal: AbortSignal) => Promise<void>) => void;
}

/** Runs what buttons of a component start, one at a time, and keeps why it failed. */
export function useAttempt(): Attempt {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);
  const attempt: Attempt["attempt"] = (work) => {
    if (isBusy) return;
    const controller = new AbortController();
    abort.current = controller;
    setBusy(true);
    setProblem("");
    work(controller.signal)
      .catch((thrown: unknown) => {
        if (!controller.signal.aborted) setProblem((thrown as Error).message);
      })
      .finally(() => setBusy(false));
  };
  return { isBusy, problem, attempt };
}
