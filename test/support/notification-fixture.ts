import { Webhook } from "standardwebhooks";
import type { HostError } from "../../src/errors.js";
import { systemPlatform } from "../../src/io/platform.js";
import type { Delivery } from "../../src/notification/delivery.js";
import type { PolicyEvent, WebhookTarget } from "../../src/notification/event.js";
import { Notifications } from "../../src/notification/notifications.js";
import { eventually } from "./eventually.js";
import { ManualClock } from "./manual-clock.js";
import { temporaryDirectory } from "./temporary-directory.js";
import type { ReceivedRequest, WebhookReceiver } from "./webhook-receiver.js";

/** The secret of each webhook. */
export const secret = `whsec_${Buffer.alloc(32, "hidden-key").toString("base64")}`;

/** An event of the policy `nightly`. */
export const event: PolicyEvent = {
  type: "policy.run.failed",
  timeMicros: 1_700_000_000_000_000,
  policy: "nightly",
  indexLink: "/core/document-index",
  host: "db1",
  message: "Cannot back up to /mnt/b. Mount the disk: größer als null.",
  details: { attempts: 3 },
};

/** Notifications with webhooks of one policy. */
export interface Fixture {
  notifications: Notifications;
  clock: ManualClock;
  problems: HostError[];
  directory: string;
  /** Targets of the policy `nightly`. */
  targets: WebhookTarget[];
}

const opened: Notifications[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

/** Opens and starts notifications, which are closed after the test. */
export async function open(
  urls: readonly string[],
  {
    directory = temporaryDirectory(),
    clock = new ManualClock(),
    allowPrivate = true,
    files = systemPlatform.files,
  } = {},
): Promise<Fixture> {
  const targets: WebhookTarget[] = urls.map((url) => ({ url, secret, events: [] }));
  const problems: HostError[] = [];
  const notifications = await Notifications.open({
    platform: { ...systemPlatform, files },
    directory,
    policy: { allowPrivate, allowed: [] },
    tls: {},
    clock,
    targetsOf: (policy) => (policy === "nightly" ? targets : []),
    onProblem: (error) => void problems.push(error),
  });
  opened.push(notifications);
  notifications.start();
  return { notifications, clock, problems, directory, targets };
}

/** Verifies a request with the library of receivers at the time of the clock. */
export function verified({ headers, body }: ReceivedRequest, clock: ManualClock): unknown {
  const now = jest.spyOn(Date, "now").mockReturnValue(clock.nowMs());
  try {
    return new Webhook(secret).verify(body, headers as Record<string, string>);
  } finally {
    now.mockRestore();
  }
}

/** Waits until all deliveries have a state. */
export const delivered = (fixture: Fixture, state: Delivery["state"] = "DELIVERED") =>
  eventually(() => fixture.notifications.deliveries().every((each) => each.state === state), {
    state: () => fixture.notifications.deliveries(),
  });

/** Waits until the newest delivery has a number of attempts. */
export const attempted = (fixture: Fixture, attempts: number) =>
  eventually(() => fixture.notifications.deliveries()[0]?.attempts === attempts, {
    state: () => fixture.notifications.deliveries(),
  });

/** Responds with a status. */
export const answer =
  (status: number, headers: Record<string, string> = {}): WebhookReceiver["respond"] =>
  (_request, response) =>
    void response.writeHead(status, headers).end();
