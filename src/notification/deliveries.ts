import { Webhook } from "standardwebhooks";
import { HostError } from "../errors.js";
import { JsonFile } from "../io/json-file.js";
import type { Platform } from "../io/platform.js";
import { sha256Of } from "../io/sha256.js";
import { formatTime } from "../io/time.js";
import { limits } from "../limits.js";
import { withoutSecrets } from "../security/secrets.js";
import { wants, type PolicyEvent, type WebhookTarget } from "./event.js";
import { send, type Network } from "./send.js";

/** A notification to one webhook. Times in microseconds since 1970, 0: never. */
export interface Delivery {
  /** The webhook-id of all attempts. */
  id: string;
  policy: string;
  event: string;
  /** URL without its query. */
  url: string;
  state: "PENDING" | "DELIVERED" | "FAILED";
  attempts: number;
  /** Status of the last answer; 0 if there was none. */
  lastStatus: number;
  /** Empty if the last attempt succeeded. */
  lastError: string;
  createTimeMicros: number;
  lastAttemptMicros: number;
  nextAttemptMicros: number;
}

/** A delivery as stored: with its body, which all attempts send, and a digest that finds its target. */
interface Entry extends Delivery {
  body: string;
  target: string;
}

/** Clock of deliveries. */
export interface DeliveryClock {
  nowMicros(): number;
  setTimer(callback: () => void, ms: number): { clear(): void };
}

/** Options of Deliveries.open. */
export interface DeliveriesOptions {
  platform: Pick<Platform, "files" | "randomHex" | "randomId">;
  path: string;
  network: Network;
  clock: DeliveryClock;
  /** Returns the webhooks of a policy; none if it no longer exists. */
  targetsOf(policy: string): readonly WebhookTarget[];
  /** Called if the file cannot be read or written. Deliveries continue; they are lost when the host stops. */
  onProblem(error: unknown): void;
}

/**
 * Sends events to webhooks, signed as Standard Webhooks defines, and sends them again after failures.
 * Remembers the last limits.deliveries of them, also across restarts. Secrets are not stored here.
 */
export class Deliveries {
  private readonly sending = new Map<string, Promise<void>>();
  private readonly stop = new AbortController();
  private timer: { clear(): void } | undefined;
  private writing: Promise<void> | undefined;
  private dirty = false;

  private constructor(
    private readonly options: DeliveriesOptions,
    private readonly file: JsonFile<Entry[]>,
    /** Oldest first. */
    private readonly entries: Map<string, Entry>,
  ) {}

  /** Reads the file, and continues pending deliveries. */
  static async open(options: DeliveriesOptions): Promise<Deliveries> {
    const { platform, path, onProblem } = options;
    const file = new JsonFile<Entry[]>({
      platform,
      path,
      maxBytes: limits.deliveriesBytes,
      parse: (value) => (Array.isArray(value) && value.every(isEntry) ? value : undefined),
    });
    const content = await file.read();
    if ("error" in content) onProblem(content.error);
    if (content.state === "invalid") await file.quarantine();
    const entries = content.state === "read" ? content.value : [];
    const deliveries = new Deliveries(
      options,
      file,
      new Map(entries.map((entry) => [entry.id, entry])),
    );
    deliveries.sendDue();
    return deliveries;
  }

  /** Starts to send an event to each webhook of its policy that wants it. Returns the deliveries. */
  notify(event: PolicyEvent): Delivery[] {
    const targets = this.options
      .targetsOf(event.policy)
      .filter((target) => wants(target, event.type));
    const nowMicros = this.options.clock.nowMicros();
    const body = bodyOf(event);
    const added = targets.map((target): Entry => ({
      id: `msg_${this.options.platform.randomId()}`,
      policy: event.policy,
      event: event.type,
      url: withoutSecrets(target.url),
      state: "PENDING",
      attempts: 0,
      lastStatus: 0,
      lastError: "",
      createTimeMicros: nowMicros,
      lastAttemptMicros: 0,
      nextAttemptMicros: nowMicros,
      body,
      target: targetKey(target),
    }));
    for (const entry of added) this.entries.set(entry.id, entry);
    this.forgetOldest();
    this.changed();
    return added.map(shown);
  }

  /** Lists deliveries, newest first. Default: those of all policies. */
  list(policy?: string): Delivery[] {
    return [...this.entries.values()]
      .filter((entry) => policy === undefined || entry.policy === policy)
      .reverse()
      .map(shown);
  }

  /** Sends a delivery again, with the same identifier and body. Throws DELIVERY_NOT_FOUND. */
  replay(id: string): Delivery {
    const entry = this.entries.get(id);
    if (!entry)
      throw new HostError(
        "DELIVERY_NOT_FOUND",
        `Delivery ${id} not found (unknown or expired). List the deliveries with holdfast policy deliveries.`,
      );
    Object.assign(entry, {
      state: "PENDING",
      attempts: 0,
      nextAttemptMicros: this.options.clock.nowMicros(),
    } satisfies Partial<Entry>);
    this.changed();
    return shown(entry);
  }

  /** Ends attempts under way; pending deliveries continue after the next start. */
  async close(): Promise<void> {
    this.stop.abort(new HostError("SHUTTING_DOWN", "The host was shut down."));
    this.timer?.clear();
    await Promise.all(this.sending.values());
    while (this.writing) await this.writing;
  }

  private changed(): void {
    this.dirty = true;
    this.writing ??= this.write().finally(() => {
      this.writing = undefined;
    });
    this.sendDue();
  }

  private async write(): Promise<void> {
    while (this.dirty) {
      this.dirty = false;
      await Promise.resolve();
      await this.file.write([...this.entries.values()]).catch(this.options.onProblem);
    }
  }

  private forgetOldest(): void {
    for (const id of this.entries.keys()) {
      if (this.entries.size <= limits.deliveries) return;
      this.entries.delete(id);
    }
  }

  /** Starts what is due, one attempt for each URL at a time, and arms the timer for the rest. */
  private sendDue(): void {
    if (this.stop.signal.aborted) return;
    this.timer?.clear();
    const nowMicros = this.options.clock.nowMicros();
    let nextMicros = Infinity;
    for (const entry of this.entries.values()) {
      if (entry.state !== "PENDING" || this.sending.has(entry.target)) continue;
      if (entry.nextAttemptMicros > nowMicros) {
        nextMicros = Math.min(nextMicros, entry.nextAttemptMicros);
        continue;
      }
      if (this.sending.size >= limits.concurrentDeliveries) break;
      const sent = this.attempt(entry).finally(() => {
        this.sending.delete(entry.target);
        this.changed();
      });
      this.sending.set(entry.target, sent);
    }
    if (nextMicros === Infinity) return;
    const waitMs = Math.ceil((nextMicros - nowMicros) / 1000);
    this.timer = this.options.clock.setTimer(
      () => this.sendDue(),
      Math.min(waitMs, limits.schedulerTickMs),
    );
  }

  private async attempt(entry: Entry): Promise<void> {
    const { targetsOf, network, clock } = this.options;
    const target = targetsOf(entry.policy).find((one) => targetKey(one) === entry.target);
    if (!target) {
      this.fail(entry, "The policy no longer has this webhook.");
      return;
    }
    const nowMicros = clock.nowMicros();
    entry.attempts += 1;
    entry.lastAttemptMicros = nowMicros;
    try {
      const at = new Date(Math.floor(nowMicros / 1000));
      const answer = await send(
        network,
        {
          url: target.url,
          body: Buffer.from(entry.body),
          headers: {
            "webhook-id": entry.id,
            "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
            "webhook-signature": new Webhook(target.secret).sign(entry.id, at, entry.body),
          },
        },
        this.stop.signal,
      );
      entry.lastStatus = answer.status;
      if (answer.status >= 200 && answer.status < 300)
        Object.assign(entry, { state: "DELIVERED", lastError: "", nextAttemptMicros: 0 });
      // The specification: the receiver wants no more of them.
      else if (answer.status === 410) this.fail(entry, "The receiver answered 410 Gone.");
      else this.retry(entry, `The receiver answered ${answer.status}.`, answer.retryAfterMs);
    } catch (error) {
      // A stop is no attempt.
      if (this.stop.signal.aborted) entry.attempts -= 1;
      else {
        entry.lastStatus = 0;
        this.retry(entry, HostError.from(error).message);
      }
    }
  }

  private retry(entry: Entry, problem: string, retryAfterMs = 0): void {
    const pauseMs = limits.deliveryRetriesMs[entry.attempts - 1];
    if (pauseMs === undefined) {
      this.fail(entry, problem);
      return;
    }
    // Up to a tenth, so that many hosts do not return at the same time.
    const jitter = Number.parseInt(this.options.platform.randomHex(2), 16) / 0xffff / 10;
    const waitMs = Math.max(retryAfterMs, pauseMs) * (1 + jitter);
    entry.lastError = problem.slice(0, limits.backupErrorChars);
    entry.nextAttemptMicros = this.options.clock.nowMicros() + Math.round(waitMs * 1000);
  }

  private fail(entry: Entry, problem: string): void {
    Object.assign(entry, {
      state: "FAILED",
      lastError: problem.slice(0, limits.backupErrorChars),
      nextAttemptMicros: 0,
    });
  }
}

/** Identifies a webhook by its URL, whose query may be secret. */
const targetKey = ({ url }: WebhookTarget) => sha256Of(Buffer.from(url));

function shown({ body: _body, target: _target, ...delivery }: Entry): Delivery {
  return delivery;
}

function bodyOf({ type, timeMicros, message, details, ...rest }: PolicyEvent): string {
  return JSON.stringify({
    type,
    timestamp: formatTime(timeMicros),
    data: { ...rest, message: message.slice(0, limits.notificationChars), ...details },
  });
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const { id, policy, event, url, state, body, target, nextAttemptMicros } = value as Partial<Entry>;
  return (
    [id, policy, event, url, body, target].every((text) => typeof text === "string") &&
    (state === "PENDING" || state === "DELIVERED" || state === "FAILED") &&
    Number.isSafeInteger(nextAttemptMicros)
  );
}
