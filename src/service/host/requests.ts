import type { Protocol } from "../../security/caller.js";

/** What is switched on and off of request logs, under Xenon's names. */
export interface RequestLogging {
  enabled: boolean;
  /** Leave out what Xenon's hosts ask each other: about their group, to agree on documents, on behalf of another. */
  skipGossipRequests: boolean;
  skipSynchronizationRequests: boolean;
  skipForwardingRequests: boolean;
}

/** A request whose answer is over. */
export interface AnsweredRequest {
  protocol: "HTTP/1.1" | "gRPC";
  method: string;
  path: string;
  /** Without the question mark. */
  query: string;
  /** Where it arrived. */
  host: string;
  port: number;
  remoteAddress: string;
  referer: string;
  pragma: string;
  /** As HTTP has it, for gRPC too; 499 where the client left before its answer. */
  statusCode: number;
  requestBytes: number;
  beginMicros: number;
  durationMicros: number;
}

/** What a request asks for, in one of few words: the name of an RPC, or a method and the template of a path; never a link. */
export interface RequestName {
  protocol: Protocol;
  method: string;
}

/** Counts every request, so it has to be quick. */
export interface RequestCounter {
  /** What it returns is called at the end, with the status as HTTP has it. */
  begin(name: RequestName): (statusCode: number) => void;
}

/** Hears of requests, where somebody wants to. */
export interface RequestObserver {
  readonly counter: RequestCounter;
  /** False: nobody listens, and what it takes to tell need not be gathered. */
  readonly active: boolean;
  answered(request: AnsweredRequest): void;
}

export interface Requests extends RequestObserver {
  logging(): RequestLogging;
  configureLogging(logging: RequestLogging): void;
  tracing(): boolean;
  configureTracing(enabled: boolean): void;
}

export const loggingAtStart: RequestLogging = {
  enabled: false,
  skipGossipRequests: true,
  skipSynchronizationRequests: true,
  skipForwardingRequests: true,
};

export interface RequestSinks {
  counter: RequestCounter;
  log(request: AnsweredRequest): void;
  trace(request: AnsweredRequest): void;
}

/** Log and trace are off at the start of a host. */
export function createRequests({ counter, log, trace }: RequestSinks): Requests {
  let logging = loggingAtStart;
  let tracing = false;
  return {
    counter,
    get active() {
      return logging.enabled || tracing;
    },
    answered(request) {
      if (logging.enabled && !isSkipped(request, logging)) log(request);
      if (tracing) trace(request);
    },
    logging: () => ({ ...logging }),
    configureLogging: (wanted) => void (logging = { ...wanted }),
    tracing: () => tracing,
    configureTracing: (enabled) => void (tracing = enabled),
  };
}

function isSkipped({ path, pragma }: AnsweredRequest, logging: RequestLogging): boolean {
  const directives = pragma.split(/[;,]/).map((one) => one.trim().toLowerCase());
  return (
    (logging.skipGossipRequests && path.includes("/core/node-groups")) ||
    (logging.skipForwardingRequests && directives.includes("xn-fwd")) ||
    (logging.skipSynchronizationRequests &&
      directives.some((one) => one === "xn-synch-owner" || one === "xn-synch-peer"))
  );
}
