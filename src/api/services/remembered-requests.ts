import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/**
 * Runs the work of a request once per request ID. A repeated request gets the result of the first
 * one, even while it still runs. Failed requests are forgotten, so that they can be retried. The
 * last limits.operations IDs are kept in memory. An empty ID disables deduplication. Rejects with
 * REQUEST_INVALID if an ID is reused for a different request.
 */
export type RunOnce<Answer> = (
  requestId: string,
  request: string,
  work: () => Promise<Answer>,
) => Promise<Answer>;

/** Creates a RunOnce. */
export function rememberRequests<Answer>(): RunOnce<Answer> {
  const known = new Map<string, { request: string; answer: Promise<Answer> }>();
  return async (requestId, request, work) => {
    if (requestId === "") return work();
    const previous = known.get(requestId);
    if (previous && previous.request !== request) {
      throw new HostError(
        "REQUEST_INVALID",
        `Request ID ${requestId} was already used for a different request. Use a new one.`,
        { metadata: { field: "request_id" } },
      );
    }
    if (previous) return previous.answer;
    const answer = work();
    known.set(requestId, { request, answer });
    const [oldest] = known.keys();
    if (known.size > limits.operations && oldest !== undefined) known.delete(oldest);
    try {
      return await answer;
    } catch (error) {
      known.delete(requestId);
      throw error;
    }
  };
}
