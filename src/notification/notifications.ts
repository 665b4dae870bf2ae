import { parseHttpUri } from "../destination/http/uri.js";
import type { AddressPolicy } from "../destination/network/address-policy.js";
import type { ClientTls } from "../destination/network/tls.js";
import { HostError } from "../errors.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import { checkHeartbeatUrl, checkLiteralAddress, checkWebhook } from "./check-target.js";
import type { NotificationClock } from "./clock.js";
import { toDelivery, urlDigest, type Delivery, type StoredDelivery } from "./delivery.js";
import { DeliveryLog } from "./delivery-log.js";
import { Dispatcher, goneMessage } from "./dispatcher.js";
import { eventBody, wantsEvent, type PolicyEvent, type WebhookTarget } from "./event.js";
import { Heartbeats, type HeartbeatStatus } from "./heartbeats.js";

/** Options of Notifications.open. */
export interface NotificationsOptions {
  platform: Pick<Platform, "files" | "randomHex">;
  /** Existing directory of the file `deliveries.json`. */
  directory: string;
  /** Addresses to which this host may connect. */
  policy: AddressPolicy;
  tls: ClientTls;
  clock: NotificationClock;
  /**
   * Returns the current webhooks of a policy; none if it does not exist. Called before each attempt, so
   * that secrets are not stored with deliveries.
   */
  targetsOf(policy: string): readonly WebhookTarget[];
  /** Called with deliveries and heartbeats that failed, and problems of the file. */
  onProblem(error: HostError): void;
}

/**
 * Tells webhooks and heartbeat URLs what happens to policies. A webhook receives each event at least
 * once, with the same webhook-id at each attempt, unless it does not accept it within three days.
 */
export class Notifications {
  private readonly dispatcher: Dispatcher;
  private readonly heartbeatUrls: Heartbeats;
  private isClosed = false;

  private constructor(
    private readonly options: NotificationsOptions,
    private readonly log: DeliveryLog,
  ) {
    const { platform, policy, tls, clock, targetsOf, onProblem } = options;
    const network = { policy, tls, clock };
    this.dispatcher = new Dispatcher({
      log,
      network,
      targetsOf,
      random: () => Number.parseInt(platform.randomHex(4), 16) / 2 ** 32,
      onProblem,
    });
    this.heartbeatUrls = new Heartbeats({ network, onProblem });
  }

  /** Reads the log of deliveries. An unreadable file is renamed and reported. Sends nothing yet. */
  static async open(options: NotificationsOptions): Promise<Notifications> {
    const { platform, directory, clock, onProblem } = options;
    const path = `${directory}/deliveries.json`;
    return new Notifications(options, await DeliveryLog.open({ platform, path, clock, onProblem }));
  }

  /** Throws as `checkWebhook`, and ADDRESS_NOT_ALLOWED for an address to which this host may not connect. */
  checkWebhook(target: WebhookTarget, field: string): void {
    checkWebhook(target, field);
    checkLiteralAddress(this.options.policy, target.url, `${field}.url`);
  }

  /** Throws as `checkHeartbeatUrl`, and ADDRESS_NOT_ALLOWED. */
  checkHeartbeat(url: string, field: string): void {
    checkHeartbeatUrl(url, field);
    checkLiteralAddress(this.options.policy, url, field);
  }

  /** Starts sending, also what an earlier run left pending. Call it when `targetsOf` knows all policies. */
  start(): void {
    this.dispatcher.start();
  }

  /**
   * Queues an event for each target that wants it, and resolves to the deliveries when the queue is
   * durable. Throws STORAGE_FULL or STORAGE_FAILED if the file cannot be written; the event is sent all
   * the same, but not after a restart. Throws SHUTTING_DOWN after `close`.
   */
  async notify(event: PolicyEvent, targets: readonly WebhookTarget[]): Promise<Delivery[]> {
    this.requireOpen();
    const body = eventBody(event);
    const urls = new Set(
      targets.filter((target) => wantsEvent(target, event.type)).map(({ url }) => url),
    );
    const deliveries = [...urls].map((url) => this.newDelivery(event, url, body));
    if (deliveries.length === 0) return [];
    const recorded = deliveries.map((delivery) => this.log.add(delivery));
    this.dispatcher.wake();
    await Promise.all(recorded);
    return deliveries.map(toDelivery);
  }

  /**
   * Requests the heartbeat URLs of a policy after a success, with limits.heartbeatAttempts attempts. Does
   * not throw; `heartbeats` returns the results.
   */
  heartbeat(policy: string, urls: readonly string[]): void {
    for (const url of urls) this.heartbeatUrls.call(policy, url);
  }

  /** Returns the last results of heartbeat URLs of a policy since the start of the host. */
  heartbeats(policy: string, urls: readonly string[]): HeartbeatStatus[] {
    return this.heartbeatUrls.results(policy, urls);
  }

  /** Returns the deliveries, newest first. Default: of all policies. */
  deliveries(policy?: string): Delivery[] {
    return this.log
      .all()
      .filter((delivery) => policy === undefined || delivery.policy === policy)
      .reverse()
      .map(toDelivery);
  }

  /**
   * Sends a delivery again with the same webhook-id and body, at once and with all retries. A pending
   * one is sent at once. Resolves when the queue is durable. Throws DELIVERY_NOT_FOUND, REQUEST_INVALID
   * if its policy no longer has the webhook, and the errors of `notify`.
   */
  async replay(id: string): Promise<Delivery> {
    this.requireOpen();
    const delivery = this.log.get(id);
    if (!delivery)
      throw new HostError(
        "DELIVERY_NOT_FOUND",
        `Delivery ${id.slice(0, 100)} not found (unknown, or no longer remembered). List the deliveries of its policy.`,
      );
    const targets = this.options.targetsOf(delivery.policy);
    if (!targets.some(({ url }) => urlDigest(url) === delivery.urlSha256))
      throw new HostError(
        "REQUEST_INVALID",
        `Cannot replay delivery ${id}: the policy ${delivery.policy} no longer has the webhook ${delivery.url}. Add it again first.`,
        { metadata: { field: "id" } },
      );
    delivery.state = "PENDING";
    delivery.tries = 0;
    delivery.nextAttemptMicros = this.options.clock.nowMs() * 1000;
    const replayed = toDelivery(delivery);
    const recorded = this.log.save();
    this.dispatcher.wake();
    await recorded;
    return replayed;
  }

  /** Aborts requests in progress and writes the log. Pending deliveries are sent after the next start. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([this.dispatcher.close(), this.heartbeatUrls.close()]);
    await this.log.close();
  }

  private requireOpen(): void {
    if (this.isClosed)
      throw new HostError("SHUTTING_DOWN", "Cannot send notifications: the host is shutting down.");
  }

  private newDelivery(event: PolicyEvent, url: string, body: string): StoredDelivery {
    const nowMicros = this.options.clock.nowMs() * 1000;
    const urlSha256 = urlDigest(url);
    const { shown } = parseHttpUri(url);
    const isGone = event.type !== "policy.test" && this.isGone(urlSha256);
    return {
      id: `msg_${this.options.platform.randomHex(16)}`,
      policy: event.policy,
      event: event.type,
      url: shown,
      state: isGone ? "FAILED" : "PENDING",
      attempts: 0,
      lastStatus: 0,
      lastError: isGone ? goneMessage(shown).slice(0, limits.deliveryErrorChars) : "",
      createTimeMicros: nowMicros,
      lastAttemptMicros: 0,
      nextAttemptMicros: isGone ? 0 : nowMicros,
      urlSha256,
      body,
      tries: 0,
    };
  }

  /** Whether the last response of a URL was 410. A test or a replay that succeeds enables it again. */
  private isGone(urlSha256: string): boolean {
    const attempted = this.log
      .all()
      .filter((each) => each.urlSha256 === urlSha256 && each.lastAttemptMicros > 0);
    const last = attempted.reduce<StoredDelivery | undefined>(
      (newest, each) =>
        newest && newest.lastAttemptMicros > each.lastAttemptMicros ? newest : each,
      undefined,
    );
    return last?.lastStatus === 410;
  }
}
