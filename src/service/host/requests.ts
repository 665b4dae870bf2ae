import type { Protocol } from "../../security/caller.js";

/** Settings of request logging, with Xenon's names. */
export interface RequestLogging {
  enabled: boolean;
  /**
   * Omit requests between Xenon hosts: about the node group, to synchronize documents, or forwarded
   * ones.
   */
  skipGossipRequests: boolean;
  skipSynchronizationRequests: boolean;
  skipForwardingRequests: boolean;
}

/** A completed request. */
export interface CompletedRequest {
  protocol: "HTTP/1.1" | "gRPC";
  method: string;
  path: string;
  /** Query without the question mark. */
  query: string;
  /** Local address. */
  host: string;
  port: number;
  remoteAddress: string;
  referer: string;
  pragma: string;
  /** HTTP status, also for gRPC; 499 if the client disconnected before the response. */
  statusCode: number;
  requestBytes: number;
  beginMicros: number;
  durationMicros: number;
}

/**
 * Name of a request for metrics, from a bounded set: the name of an RPC, or a method with a path
 * template; never a link.
 */
export interface RequestName {
  protocol: Protocol;
  method: string;
}

/** Counts requests. Called for every request, so it must be fast. */
export interface RequestCounter {
  /**
   * Records the start of a request. Call the returned function at its end, with the HTTP status.
   */
  begin(name: RequestName): (statusCode: number) => void;
}

/** Observer of requests. */
export interface RequestObserver {
  readonly counter: RequestCounter;
  /** Whether completed requests are logged or traced; if false, `completed` need not be called. */
  readonly active: boolean;
  /** Reports a completed request. */
  completed(request: CompletedRequest): void;
}

/** Request logging and tracing of a host. */
export interface Requests extends RequestObserver {
  logging(): RequestLogging;
  configureLogging(logging: RequestLogging): void;
  tracing(): boolean;
  configureTracing(enabled: boolean): void;
}

/** Settings at the start of a host. */
export const loggingAtStart: RequestLogging = {
  enabled: false,
  skipGossipRequests: true,
  skipSynchronizationRequests: true,
  skipForwardingRequests: true,
};

/** Receivers of requests. */
export interface RequestSinks {
  counter: RequestCounter;
  log(request: CompletedRequest): void;
  trace(request: CompletedRequest): void;
}

/** Creates the observer, with logging and tracing disabled. */
export function createRequests({ counter, log, trace }: RequestSinks): Requests {
  let logging = loggingAtStart;
  let tracing = false;
  return {
    counter,
    get active() {
      return logging.enabled || tracing;
    },
    completed(request) {
      if (logging.enabled && !isSkipped(request, logging)) log(request);
      if (tracing) trace(request);
    },
    logging: () => ({ ...logging }),
    configureLogging: (settings) => void (logging = { ...settings }),
    tracing: () => tracing,
    configureTracing: (enabled) => void (tracing = enabled),
  };
}

function isSkipped({ path, pragma }: CompletedRequest, logging: RequestLogging): boolean {
  const directives = pragma.split(/[;,]/).map((one) => one.trim().toLowerCase());
  return (
    (logging.skipGossipRequests && path.includes("/core/node-groups")) ||
    (logging.skipForwardingRequests && directives.includes("xn-fwd")) ||
    (logging.skipSynchronizationRequests &&
      directives.some((one) => one === "xn-synch-owner" || one === "xn-synch-peer"))
  );
}
