import { useEffect, useState } from "preact/hooks";
import type { ApiError } from "./request.js";

/** The last answer, which stays while a later request fails. */
export interface Polled<Answer> {
  answer?: Answer;
  error?: ApiError;
}

/** Asks again and again, each time so long after the last answer, while the component is shown. */
export function usePolled<Answer>(
  ask: (signal: AbortSignal) => Promise<Answer>,
  intervalMs: number,
  inputs: readonly unknown[] = [],
): Polled<Answer> {
  const [polled, setPolled] = useState<Polled<Answer>>({});
  useEffect(() => {
    const abort = new AbortController();
    const round = async () => {
      while (!abort.signal.aborted) {
        try {
          const answer = await ask(abort.signal);
          if (!abort.signal.aborted) setPolled({ answer });
        } catch (error) {
          if (!abort.signal.aborted)
            setPolled(({ answer }) => ({
              ...(answer !== undefined && { answer }),
              error: error as ApiError,
            }));
          // A refusal stays as long as the token: to ask again would only fill the audit log.
          const { status } = error as ApiError;
          if (status === 401 || status === 403) return;
        }
        await new Promise((resolve) => setTimeout(resolve, intervalMs));
      }
    };
    void round();
    return () => abort.abort();
  }, inputs);
  return polled;
}
