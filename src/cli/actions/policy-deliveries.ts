import {
  DeliverySchema,
  ListDeliveriesResponseSchema,
  TestNotificationsResponseSchema,
  type Delivery,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { CommandContext } from "../command-context.js";
import { withHost } from "../connect/session.js";
import type { HostFlags } from "../flags.js";
import { formatAge, formatCount, formatNumber } from "../output/format.js";
import { table } from "../output/table.js";
import { nowMicros } from "../time.js";

/** Implements holdfast policy deliveries. */
export async function listDeliveries(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async ({ policies }) => {
    const response = await policies.listDeliveries({ name }, { signal: context.abort.signal });
    await context.printResult(ListDeliveriesResponseSchema, response, () =>
      response.deliveries.length === 0 ? "No deliveries." : deliveryTable(response.deliveries),
    );
  });
}

/** Implements holdfast policy replay. */
export async function replayDelivery(
  context: CommandContext,
  flags: HostFlags,
  id = "",
): Promise<void> {
  await withHost(context, flags, async ({ policies }) => {
    const delivery = await policies.replayDelivery({ id });
    await context.printResult(
      DeliverySchema,
      delivery,
      () =>
        `Sending ${delivery.event} to ${delivery.url} again. To see the result: holdfast policy deliveries ${delivery.policy}`,
    );
  });
}

/** Implements holdfast policy test-notifications. */
export async function testNotifications(
  context: CommandContext,
  flags: HostFlags,
  name = "",
): Promise<void> {
  await withHost(context, flags, async ({ policies }) => {
    const response = await policies.testNotifications({ name });
    const { deliveries } = response;
    await context.printResult(TestNotificationsResponseSchema, response, () =>
      deliveries.length === 0
        ? `Policy ${name} has no webhooks. To add one: holdfast policy edit ${name} --webhook URL --webhook-secret-file FILE`
        : [
            `Sending a test event to ${formatCount(deliveries.length, "webhook")}. To see the result: holdfast policy deliveries ${name}`,
            deliveryTable(deliveries),
          ].join("\n"),
    );
  });
}

/** Formats deliveries as a table, in the order given. */
export function deliveryTable(deliveries: readonly Delivery[], now = nowMicros()): string {
  const columns = [
    { head: "DELIVERY" },
    { head: "EVENT" },
    { head: "URL" },
    { head: "STATE" },
    { head: "ATTEMPTS", right: true },
    { head: "STATUS", right: true },
    { head: "CREATED" },
    { head: "LAST ERROR" },
  ];
  return table(
    columns,
    deliveries.map((one) => [
      one.id,
      one.event,
      one.url,
      one.state.toLowerCase(),
      formatNumber(one.attempts),
      one.lastStatus === 0 ? "" : String(one.lastStatus),
      formatAge(one.createTimeMicros, now),
      one.lastError,
    ]),
  );
}
