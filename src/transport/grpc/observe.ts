import { httpStatus, type HostError } from "../../errors.js";
import { withoutSecrets } from "../../security/secrets.js";
import type { RequestObserver } from "../../service/host/requests.js";
import type { Call } from "./call-context.js";

type ObservedCall = Pick<Call, "metadata" | "getPath" | "getHost" | "getPeer">;

/**
 * Reports a call to the observer. Call the returned function when the call ends, with its error if
 * it failed.
 */
export function observeCall(
  observer: RequestObserver | undefined,
  call: ObservedCall,
): (error?: HostError) => void {
  if (!observer) return ignore;
  const ended = observer.counter.begin({ protocol: "grpc", method: call.getPath().slice(1) });
  if (!observer.active) return (error) => ended(statusOf(error));
  const beginMicros = Date.now() * 1000;
  const begun = performance.now();
  return (error) => {
    ended(statusOf(error));
    const [host = "", port = ""] = /^(.*):(\d+)$/.exec(call.getHost())?.slice(1) ?? [];
    observer.completed({
      protocol: "gRPC",
      method: "POST",
      path: call.getPath(),
      query: "",
      host,
      port: Number(port),
      remoteAddress: call.getPeer(),
      referer: withoutSecrets(textOf(call, "referer")),
      pragma: textOf(call, "pragma"),
      statusCode: statusOf(error),
      requestBytes: 0,
      beginMicros,
      durationMicros: Math.round((performance.now() - begun) * 1000),
    });
  };
}

const statusOf = (error: HostError | undefined) => (error ? httpStatus(error) : 200);

const ignore = () => {};

function textOf({ metadata }: ObservedCall, name: string): string {
  const [value] = metadata.get(name);
  return typeof value === "string" ? value : "";
}
