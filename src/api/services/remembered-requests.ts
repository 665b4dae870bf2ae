import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/**
 * Runs the work of a request once for each request id; a repetition gets the first one's answer, also while that is
 * still being made. What failed is forgotten, so that it can be tried again. The last limits.operations ids are
 * remembered, while the host runs. Rejects an id that comes with another request with REQUEST_INVALID.
 */
export type RunOnce<Answer> = (
  requestId: string,
  request: string,
  work: () => Promise<Answer>,
) => Promise<Answer>;

export function rememberRequests<Answer>(): RunOnce<Answer> {
  const known = new Map<string, { request: string; answer: Promise<Answer> }>();
  return async (requestId, request, work) => {
    if (requestId === "") return work();
    const before = known.get(requestId);
    if (before && before.request !== request) {
      throw new HostError(
        "REQUEST_INVALID",
        `The request id ${requestId} was used for another request; make up a new one.`,
        { metadata: { field: "request_id" } },
      );
    }
    if (before) return before.answer;
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
