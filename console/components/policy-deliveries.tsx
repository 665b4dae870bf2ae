import { useState } from "preact/hooks";
import type { DeliveryJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { useAttempt } from "../api/attempt.js";
import { may } from "../api/may.js";
import { listDeliveries, replayDelivery, testNotifications } from "../api/policies.js";
import { usePolled } from "../api/polled.js";
import { count } from "../text/format.js";
import { Notice } from "./notice.js";
import { Time } from "./time.js";

const intervalMs = 10_000;
const most = 20;

/** What the webhooks of a policy were told, and whether they took it. */
export function PolicyDeliveries({ name }: { name: string }) {
  const [changes, setChanges] = useState(0);
  const { isBusy, problem, attempt } = useAttempt();
  const { answer, error } = usePolled((signal) => listDeliveries(name, signal), intervalMs, [
    name,
    changes,
  ]);
  const act = (work: () => Promise<unknown>) =>
    attempt(async () => {
      await work();
      setChanges(changes + 1);
    });
  const deliveries = answer?.deliveries ?? [];
  return (
    <>
      {may("backup") && (
        <button type="button" disabled={isBusy} onClick={() => act(() => testNotifications(name))}>
          Send a test
        </button>
      )}
      {error && <Notice kind="bad">{error.message}</Notice>}
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
      {answer && deliveries.length === 0 && <p>Nothing was sent yet.</p>}
      {deliveries.length > 0 && (
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Created</th>
              <th scope="col">Event</th>
              <th scope="col">To</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {deliveries.slice(0, most).map((one) => (
              <Delivery
                key={one.id}
                one={one}
                onReplay={() => act(() => replayDelivery(one.id ?? ""))}
              />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Delivery({ one, onReplay }: { one: DeliveryJson; onReplay: () => void }) {
  const { createTimeMicros, event, url, state, attempts, lastError, nextAttemptMicros } = one;
  return (
    <tr>
      <th scope="row" data-label="Created">
        <Time micros={createTimeMicros} />
      </th>
      <td data-label="Event" class="whole">
        {event}
      </td>
      <td data-label="To">{url}</td>
      <td data-label="State">
        <span class={state === "DELIVERED" ? "good" : state === "FAILED" ? "bad" : "warn"}>
          {(state ?? "").toLowerCase()}
        </span>
        , {count(attempts)} attempts
        {lastError && <div class="bad">{lastError}</div>}
        {Number(nextAttemptMicros ?? 0) > 0 && (
          <div class="muted">
            next attempt <Time micros={nextAttemptMicros} />
          </div>
        )}
        {state === "FAILED" && may("backup") && (
          <button type="button" onClick={onReplay}>
            Send again
          </button>
        )}
      </td>
    </tr>
  );
}
