import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { originOf, send, type Network } from "./send.js";

/** Options of Heartbeats. */
export interface HeartbeatOptions {
  network: Network;
  /** Called for a heartbeat that failed at all attempts, with a message without the path of the URL. */
  onFailed(policy: string, message: string): void;
}

/** Requests the heartbeat URLs of policies, one after another. What fails is not kept: the next run sends another. */
export class Heartbeats {
  private readonly waiting: { policy: string; url: string }[] = [];
  private readonly stop = new AbortController();
  private running: Promise<void> | undefined;

  constructor(private readonly options: HeartbeatOptions) {}

  /** Sends a heartbeat to each URL, in the background. */
  beat(policy: string, urls: readonly string[]): void {
    this.waiting.push(...urls.map((url) => ({ policy, url })));
    this.waiting.splice(0, Math.max(0, this.waiting.length - limits.heartbeats));
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  async close(): Promise<void> {
    this.stop.abort(new HostError("SHUTTING_DOWN", "The host was shut down."));
    await this.running;
  }

  private async run(): Promise<void> {
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      if (this.stop.signal.aborted) return;
      const problem = await this.send(next.url);
      if (problem !== undefined) this.options.onFailed(next.policy, problem);
    }
  }

  private async send(url: string): Promise<string | undefined> {
    const { signal } = this.stop;
    let problem = "";
    for (let attempt = 1; attempt <= limits.heartbeatAttempts; attempt += 1) {
      try {
        const { status } = await send(this.options.network, { url }, signal);
        if (status >= 200 && status < 300) return undefined;
        problem = `${originOf(url)} answered ${status}.`;
      } catch (error) {
        problem = HostError.from(error).message;
      }
      if (attempt < limits.heartbeatAttempts)
        await sleep(limits.heartbeatRetryMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return undefined;
    }
    return problem;
  }
}
