import { httpStatus } from "../../errors.js";
import { specificationText } from "../query/write-specification.js";
import type { QueryTask } from "../query/query-tasks.js";
import { errorText } from "./error-response.js";

/** A query task as JSON, in two parts: what is before its results and what is behind them. */
export interface TaskText {
  head: string;
  tail: string;
}

const kind = "com:vmware:xenon:services:common:QueryTask";

/** `kept` are tasks that can be asked for again; Xenon tells what a page and a direct task are asked slightly otherwise. */
export function taskText(
  task: QueryTask,
  how: "direct" | "kept" | "page",
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
  const action = how === "kept" && task.version > 0 ? ',"documentUpdateAction":"PATCH"' : "";
  const page = how === "page";
  return {
    head:
      `{"taskInfo":{"stage":"${task.stage}","isDirect":${how !== "kept"}${failure}${duration}}` +
      `,"querySpec":${specificationText(task.specification, how !== "kept")}`,
    tail:
      `,"indexLink":${JSON.stringify(task.indexLink)},"nodeSelectorLink":"/core/node-selectors/default","documentVersion":${task.version}` +
      `${page ? "" : ',"documentEpoch":0'},"documentKind":"${kind}","documentSelfLink":${JSON.stringify(selfLink)}` +
      `,"documentUpdateTimeMicros":${page ? 0 : task.updateTimeMicros}${action},"documentExpirationTimeMicros":${task.expirationTimeMicros}` +
      `${page ? "" : `,"documentOwner":${JSON.stringify(hostId)}`}}`,
  };
}
