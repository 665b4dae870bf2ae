import { parseHttpUri } from "../destination/http/uri.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { pause } from "./clock.js";
import { sendRequest, type NotificationNetwork } from "./request.js";

/** The last results of a heartbeat. */
export interface HeartbeatStatus {
  policy: string;
  /** Scheme and host: the path of a heartbeat URL usually contains its key. */
  url: string;
  /** 0: never since the start of the host. */
  lastSuccessMicros: number;
  /** 0: never since the start of the host. */
  lastFailureMicros: number;
  /** Why the last heartbeat failed. Empty: it succeeded, or none was sent. */
  lastError: string;
}

interface Heartbeat {
  status: HeartbeatStatus;
  url: string;
  /** RESTING: sent less than limits.heartbeatIntervalMs ago. */
  state: "IDLE" | "WAITING" | "SENDING" | "RESTING";
  /** Whether it was called again since it was sent. */
  isCalledAgain: boolean;
}

/** Options of Heartbeats. */
export interface HeartbeatsOptions {
  network: NotificationNetwork;
  /** Called when a heartbeat fails for the first time after a success. */
  onProblem(error: HostError): void;
}

/**
 * Requests heartbeat URLs. Several calls for a URL within limits.heartbeatIntervalMs become one
 * request. Nothing is stored: after a restart, the next run of a policy sends a heartbeat.
 */
export class Heartbeats {
  /** By policy and URL, in the order of their last calls. */
  private readonly known = new Map<string, Heartbeat>();
  private readonly sending = new Set<Promise<void>>();
  private readonly stop = new AbortController();

  constructor(private readonly options: HeartbeatsOptions) {}

  /** Requests a URL soon. Does not throw; failures are reported. */
  call(policy: string, url: string): void {
    if (this.stop.signal.aborted) return;
    const key = keyOf(policy, url);
    const heartbeat = this.known.get(key) ?? newHeartbeat(policy, url);
    this.known.delete(key);
    if (!this.makeRoom())
      return this.options.onProblem(
        new HostError(
          "OVERLOADED",
          `A heartbeat of the policy ${policy} was not sent: ${limits.heartbeats} others are waiting. Check whether their servers respond.`,
        ),
      );
    this.known.set(key, heartbeat);
    if (heartbeat.state === "IDLE") heartbeat.state = "WAITING";
    else if (heartbeat.state !== "WAITING") heartbeat.isCalledAgain = true;
    this.sendWaiting();
  }

  /** Returns the last results of URLs of a policy. */
  results(policy: string, urls: readonly string[]): HeartbeatStatus[] {
    return urls.flatMap((url) => {
      const found = this.known.get(keyOf(policy, url));
      return found ? [{ ...found.status }] : [];
    });
  }

  /** Aborts requests in progress. */
  async close(): Promise<void> {
    this.stop.abort(new HostError("SHUTTING_DOWN", "The host is shutting down."));
    await Promise.all(this.sending);
  }

  /** Forgets the oldest idle heartbeat if all are in use. Returns false if none is idle. */
  private makeRoom(): boolean {
    if (this.known.size < limits.heartbeats) return true;
    const idle = [...this.known].find(([, { state }]) => state === "IDLE");
    return idle !== undefined && this.known.delete(idle[0]);
  }

  private sendWaiting(): void {
    for (const heartbeat of this.known.values()) {
      if (this.stop.signal.aborted || this.sending.size >= limits.concurrentHeartbeats) return;
      if (heartbeat.state !== "WAITING") continue;
      heartbeat.state = "SENDING";
      heartbeat.isCalledAgain = false;
      const sent = this.send(heartbeat).finally(() => {
        this.sending.delete(sent);
        this.rest(heartbeat);
        this.sendWaiting();
      });
      this.sending.add(sent);
    }
  }

  private rest(heartbeat: Heartbeat): void {
    heartbeat.state = "RESTING";
    pause(this.options.network.clock, limits.heartbeatIntervalMs, this.stop.signal).then(
      () => {
        heartbeat.state = heartbeat.isCalledAgain ? "WAITING" : "IDLE";
        this.sendWaiting();
      },
      () => {
        // Closed.
      },
    );
  }

  private async send({ url, status }: Heartbeat): Promise<void> {
    const { network, onProblem } = this.options;
    try {
      await this.request(url, status.url);
      status.lastSuccessMicros = network.clock.nowMs() * 1000;
      status.lastError = "";
    } catch (thrown) {
      if (this.stop.signal.aborted) return;
      const { reason, message } = HostError.from(thrown);
      const isFirst = status.lastError === "";
      status.lastFailureMicros = network.clock.nowMs() * 1000;
      status.lastError = message.slice(0, limits.deliveryErrorChars);
      if (isFirst)
        onProblem(
          new HostError(
            reason,
            `A heartbeat of the policy ${status.policy} failed. ${status.lastError} Check the URL; the next successful run sends another heartbeat.`,
          ),
        );
    }
  }

  /** Throws the error of the last attempt. */
  private async request(url: string, shown: string): Promise<void> {
    const { network } = this.options;
    const uri = { ...parseHttpUri(url), shown };
    for (let attempt = 1; ; attempt += 1) {
      try {
        await sendRequest(
          { role: "The heartbeat URL", uri, headers: {} },
          network,
          this.stop.signal,
        );
        return;
      } catch (error) {
        if (this.stop.signal.aborted || attempt >= limits.heartbeatAttempts) throw error;
      }
      await pause(network.clock, limits.heartbeatRetryMs, this.stop.signal);
    }
  }
}

const keyOf = (policy: string, url: string) => `${policy}\n${url}`;

function newHeartbeat(policy: string, url: string): Heartbeat {
  return {
    status: {
      policy,
      url: originOf(url),
      lastSuccessMicros: 0,
      lastFailureMicros: 0,
      lastError: "",
    },
    url,
    state: "IDLE",
    isCalledAgain: false,
  };
}

function originOf(url: string): string {
  try {
    const { secure, authority } = parseHttpUri(url);
    return `${secure ? "https" : "http"}://${authority}`;
  } catch {
    return "an invalid URL";
  }
}
