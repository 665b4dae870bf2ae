import type { Lease, Membership } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { HostContext } from "./context.js";
import { createHostEvents } from "./events.js";
import type { LeaderServices } from "./leader-services.js";
import { Lifecycle } from "./lifecycle.js";

/** The services of the leader while they are open. */
interface Opened {
  services: LeaderServices;
  /** Undefined: no other host can lead. */
  term: number | undefined;
  lifecycle: Lifecycle;
}

/** Opens the services of the leader while this host leads, and closes them when another one does. */
export class Leadership {
  private opened: Opened | undefined;
  /** Openings and closings run one after another. */
  private changing: Promise<void> = Promise.resolve();
  private retry: NodeJS.Timeout | undefined;
  private closed = false;
  /** Openings that failed, one after another. */
  private failures = 0;

  private constructor(
    private readonly context: HostContext,
    private readonly membership: Membership | undefined,
    private readonly open: (
      context: HostContext,
      lease: Lease | undefined,
    ) => Promise<LeaderServices>,
  ) {}

  /**
   * Opens the services if this host leads; otherwise they are opened when it does. `open` receives a context with a
   * lifecycle and events of their own.
   */
  static async start(
    context: HostContext,
    membership: Membership | undefined,
    open: (context: HostContext, lease: Lease | undefined) => Promise<LeaderServices>,
  ): Promise<Leadership> {
    const leadership = new Leadership(context, membership, open);
    context.lifecycle.onClose(() => leadership.close());
    const first = leadership.follow();
    leadership.changing = first.catch(() => {});
    membership?.onChange(() => leadership.changed());
    await first;
    return leadership;
  }

  /** Whether this host leads, and its services are open. */
  get leads(): boolean {
    return this.opened !== undefined;
  }

  /** The services of the leader, if this host leads. */
  get services(): LeaderServices | undefined {
    return this.opened?.services;
  }

  /** LEADER_UNAVAILABLE if another host leads. */
  require(): LeaderServices {
    const services = this.services;
    if (services) return services;
    const leader = this.membership?.leader();
    throw new HostError(
      "LEADER_UNAVAILABLE",
      leader
        ? `Host ${leader.id} leads, and does this. Ask it at ${leader.addresses.http}, or try again.`
        : "No host leads at present; one will within seconds. Try again.",
      { metadata: { retryAfterSeconds: "1" } },
    );
  }

  private changed(): void {
    clearTimeout(this.retry);
    this.changing = this.changing
      .then(() => this.follow())
      .catch((error: unknown) => {
        this.context.onInternalError(error);
        this.failures += 1;
        // Another host may be able to.
        if (this.failures % limits.leaderAttempts === 0)
          void this.membership?.standBack().catch(this.context.onInternalError);
        this.retry = setTimeout(() => this.changed(), limits.leaderRetryMs).unref();
      });
  }

  /** Opens or closes the services as the term says. */
  private async follow(): Promise<void> {
    if (this.closed) return;
    const lease = this.membership?.lease();
    const term = lease?.term;
    const leads = this.membership === undefined || lease !== undefined;
    // Another host led in between, and changed what the services remember.
    if (this.opened && (!leads || this.opened.term !== term)) await this.stop();
    if (!leads || this.opened) return;
    const { context } = this;
    const lifecycle = new Lifecycle();
    try {
      const events = this.eventsOf(lifecycle);
      const services = await this.open({ ...context, lifecycle, events }, lease);
      this.opened = { services, term, lifecycle };
      this.failures = 0;
    } catch (error) {
      await lifecycle.close().catch(() => {});
      throw error;
    }
    if (term !== undefined) context.logger.info({ term }, "this host leads");
  }

  /** Events of the host reach the services, and those of the services the host, while they are open. */
  private eventsOf(lifecycle: Lifecycle): HostContext["events"] {
    const { events: outer } = this.context;
    const inner = createHostEvents();
    const committed = (link: string) => void inner.emit("committed", link);
    outer.on("committed", committed);
    lifecycle.onClose(() => void outer.off("committed", committed));
    inner.on("operationEnded", (view) => void outer.emit("operationEnded", view));
    inner.on("backupHealthChanged", (health) => void outer.emit("backupHealthChanged", health));
    return inner;
  }

  private async stop(): Promise<void> {
    const { opened } = this;
    if (!opened) return;
    this.opened = undefined;
    this.context.logger.warn({ term: opened.term }, "this host no longer leads");
    try {
      await opened.services.policies.close();
      await opened.services.backups.operations.close(0);
    } finally {
      await opened.lifecycle.close();
    }
  }

  private async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    await this.changing;
    await this.opened?.lifecycle.close();
  }
}

/**
 * An object whose methods, and those of its members, are called on another one, which is looked up at each call. `own`
 * replaces members; those that are neither methods nor objects must be among them.
 */
export function lateBound<T extends object>(get: () => T, own: Partial<T> = {}): T {
  return new Proxy({} as T, {
    get(_target, key) {
      if (key in own) return own[key as keyof T];
      // What is awaited is not a promise.
      return key === "then" ? undefined : lateMember(get, key as keyof T);
    },
  });
}

function lateMember<T extends object>(get: () => T, key: keyof T): unknown {
  type Method = (...values: unknown[]) => unknown;
  return new Proxy(() => {}, {
    apply(_target, _this, values) {
      const found = get();
      return (found[key] as Method).apply(found, values);
    },
    get: (_target, member) =>
      member === "then" ? undefined : lateMember(() => get()[key] as object, member as never),
  });
}
