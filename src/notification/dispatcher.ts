import { Webhook } from "standardwebhooks";
import { parseHttpUri } from "../destination/http/uri.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { urlDigest, type StoredDelivery } from "./delivery.js";
import type { DeliveryLog } from "./delivery-log.js";
import type { WebhookTarget } from "./event.js";
import { sendRequest, type NotificationNetwork } from "./request.js";
import { longestPauseMs, pauseAfter } from "./retry-schedule.js";

/** Options of Dispatcher. */
export interface DispatcherOptions {
  log: DeliveryLog;
  network: NotificationNetwork;
  /** Returns the webhooks of a policy; none if it does not exist. */
  targetsOf(policy: string): readonly WebhookTarget[];
  /** Returns a number from 0 to below 1. */
  random(): number;
  /** Called when a delivery has failed for good. */
  onProblem(error: HostError): void;
}

/**
 * Sends the pending deliveries of a log when they are due: one at a time to each URL, and
 * limits.concurrentDeliveries in total.
 */
export class Dispatcher {
  /** Attempts in progress by URL. */
  private readonly active = new Map<string, Promise<void>>();
  private readonly stop = new AbortController();
  private timer: { clear(): void } | undefined;
  private isStarted = false;

  constructor(private readonly options: DispatcherOptions) {}

  /** Starts sending. */
  start(): void {
    this.isStarted = true;
    this.wake();
  }

  /** Starts the attempts that are due. Called after each change of the log. */
  wake(): void {
    if (!this.isStarted || this.stop.signal.aborted) return;
    const { log, network } = this.options;
    const nowMicros = network.clock.nowMs() * 1000;
    let nextMicros = Infinity;
    for (const delivery of log.all()) {
      if (delivery.state !== "PENDING" || this.active.has(delivery.urlSha256)) continue;
      // A clock that was far ahead must not postpone an attempt by more than any pause.
      delivery.nextAttemptMicros = Math.min(
        delivery.nextAttemptMicros,
        nowMicros + longestPauseMs * 1000,
      );
      if (delivery.nextAttemptMicros > nowMicros)
        nextMicros = Math.min(nextMicros, delivery.nextAttemptMicros);
      else if (this.active.size < limits.concurrentDeliveries) this.begin(delivery);
    }
    this.timer?.clear();
    this.timer = Number.isFinite(nextMicros)
      ? network.clock.setTimer(() => this.wake(), Math.ceil((nextMicros - nowMicros) / 1000))
      : undefined;
  }

  /** Aborts attempts in progress, whose deliveries stay pending. */
  async close(): Promise<void> {
    this.stop.abort(new HostError("SHUTTING_DOWN", "The host is shutting down."));
    this.timer?.clear();
    await Promise.all(this.active.values());
  }

  private begin(delivery: StoredDelivery): void {
    const { urlSha256 } = delivery;
    const attempt = this.attempt(delivery)
      .catch((error: unknown) => this.fail(delivery, HostError.from(error)))
      .finally(() => {
        this.active.delete(urlSha256);
        this.options.log.saveSoon();
        this.wake();
      });
    this.active.set(urlSha256, attempt);
  }

  private async attempt(delivery: StoredDelivery): Promise<void> {
    const { network, targetsOf } = this.options;
    const target = targetsOf(delivery.policy).find(
      ({ url }) => urlDigest(url) === delivery.urlSha256,
    );
    if (!target) {
      delivery.lastStatus = 0;
      return this.fail(
        delivery,
        new HostError(
          "REQUEST_INVALID",
          `The policy ${delivery.policy} no longer has this webhook. Add it again, then replay the delivery.`,
        ),
      );
    }
    const nowMs = network.clock.nowMs();
    try {
      const status = await this.send(delivery, target, nowMs);
      this.noteAttempt(delivery, nowMs, status);
      delivery.state = "DELIVERED";
      delivery.lastError = "";
      delivery.nextAttemptMicros = 0;
    } catch (thrown) {
      // The attempt does not count: the next start of the host repeats it.
      if (this.stop.signal.aborted) return;
      const error = HostError.from(thrown);
      this.noteAttempt(delivery, nowMs, Number(error.metadata["status"] ?? 0));
      this.retryOrFail(delivery, error);
    }
  }

  private send(delivery: StoredDelivery, target: WebhookTarget, nowMs: number): Promise<number> {
    const { id, body, url } = delivery;
    const signature = new Webhook(target.secret).sign(id, new Date(nowMs), body);
    return sendRequest(
      {
        role: "The webhook",
        uri: { ...parseHttpUri(target.url), shown: url },
        headers: {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(body)),
          "webhook-id": id,
          "webhook-timestamp": String(Math.floor(nowMs / 1000)),
          "webhook-signature": signature,
        },
        body,
      },
      this.options.network,
      this.stop.signal,
    );
  }

  private noteAttempt(delivery: StoredDelivery, nowMs: number, status: number): void {
    delivery.attempts += 1;
    delivery.tries += 1;
    delivery.lastAttemptMicros = nowMs * 1000;
    delivery.lastStatus = status;
  }

  private retryOrFail(delivery: StoredDelivery, error: HostError): void {
    const { log, network, random } = this.options;
    const retryAfterMs = Number(error.metadata["retryAfterSeconds"] ?? 0) * 1000;
    const pauseMs = pauseAfter(delivery.tries, random(), retryAfterMs);
    if (delivery.lastStatus === 410) {
      for (const each of log.all())
        if (each.state === "PENDING" && each.urlSha256 === delivery.urlSha256)
          this.end(each, goneMessage(each.url));
      this.options.onProblem(new HostError("DESTINATION_REFUSED", goneMessage(delivery.url)));
    } else if (error.reason === "ADDRESS_NOT_ALLOWED" || pauseMs === undefined) {
      this.fail(delivery, error);
    } else {
      delivery.lastError = error.message.slice(0, limits.deliveryErrorChars);
      const nowMicros = network.clock.nowMs() * 1000;
      delivery.nextAttemptMicros = nowMicros + pauseMs * 1000;
      if (retryAfterMs > 0) this.postpone(delivery, nowMicros, retryAfterMs);
    }
  }

  /** The server asks for a pause, which concerns its other deliveries too. */
  private postpone({ urlSha256 }: StoredDelivery, nowMicros: number, retryAfterMs: number): void {
    const untilMicros = nowMicros + Math.min(retryAfterMs, limits.deliveryRetryAfterMaxMs) * 1000;
    for (const each of this.options.log.all())
      if (each.state === "PENDING" && each.urlSha256 === urlSha256)
        each.nextAttemptMicros = Math.max(each.nextAttemptMicros, untilMicros);
  }

  private fail(delivery: StoredDelivery, error: HostError): void {
    this.end(delivery, error.message);
    this.options.onProblem(
      new HostError(
        error.reason,
        `The notification ${delivery.event} of the policy ${delivery.policy} was not delivered to ${delivery.url} in ${delivery.attempts} attempts. ${delivery.lastError}`,
        { metadata: { delivery: delivery.id } },
      ),
    );
  }

  private end(delivery: StoredDelivery, message: string): void {
    delivery.state = "FAILED";
    delivery.lastError = message.slice(0, limits.deliveryErrorChars);
    delivery.nextAttemptMicros = 0;
  }
}

/** Why nothing is sent to a URL whose last response was 410. */
export const goneMessage = (url: string) =>
  `The webhook ${url} is disabled because it responded with 410 Gone. Remove it from the policy, or repair it and test the notifications of the policy.`;
