import { httpStatus } from "../../errors.js";
import { specificationText } from "../query/write-specification.js";
import type { QueryTask } from "../query/query-tasks.js";
import { errorText } from "./error-response.js";

/** JSON of a query task, split into the parts before and after its results. */
export interface TaskText {
  head: string;
  tail: string;
}

const kind = "com:vmware:xenon:services:common:QueryTask";

/**
 * Renders a query task. `stored` tasks can be read later; Xenon renders direct tasks and pages
 * slightly differently.
 */
export function taskText(
  task: QueryTask,
  how: "direct" | "stored" | "page",
  hostId: string,
  selfLink = task.link,
): TaskText {
  const failure =
    task.failure === undefined
      ? ""
      : `,"failure":${errorText(task.failure, httpStatus(task.failure))}`;
  const duration =
    task.durationMicros === undefined || how === "page"
      ? ""
      : `,"durationMicros":${task.durationMicros}`;
  const action = how === "stored" && task.version > 0 ? ',"documentUpdateAction":"PATCH"' : "";
  const page = how === "page";
  return {
    head:
      `{"taskInfo":{"stage":"${task.stage}","isDirect":${how !== "stored"}${failure}${duration}}` +
      `,"querySpec":${specificationText(task.specification, how !== "stored")}`,
    tail:
      `,"indexLink":${JSON.stringify(task.indexLink)},"nodeSelectorLink":"/core/node-selectors/default","documentVersion":${task.version}` +
      `${page ? "" : ',"documentEpoch":0'},"documentKind":"${kind}","documentSelfLink":${JSON.stringify(selfLink)}` +
      `,"documentUpdateTimeMicros":${page ? 0 : task.updateTimeMicros}${action},"documentExpirationTimeMicros":${task.expirationTimeMicros}` +
      `${page ? "" : `,"documentOwner":${JSON.stringify(hostId)}`}}`,
  };
}
