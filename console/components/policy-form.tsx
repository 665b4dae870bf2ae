import { useState } from "preact/hooks";
import type { BackupPolicyJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { useAttempt } from "../api/attempt.js";
import { createPolicy, validatePolicy } from "../api/policies.js";
import { localZone } from "../text/format.js";
import { scheduleWords } from "../text/schedule.js";
import { toUri } from "../text/uri.js";
import { Notice } from "./notice.js";
import { OnDemand } from "./on-demand.js";
import { Time } from "./time.js";

type Often = "hourly" | "daily" | "continuous";

const times: [often: Often, text: string][] = [
  ["daily", "every day at 03:00 UTC"],
  ["hourly", "every hour"],
  ["continuous", "after each write"],
];

/** Creates a simple policy, after its destination was checked. */
export function PolicyForm({ isOpen, onCreated }: { isOpen: boolean; onCreated: () => void }) {
  const [name, setName] = useState("daily");
  const [destination, setDestination] = useState("");
  const [often, setOften] = useState<Often>("daily");
  const [keep, setKeep] = useState("14");
  const [checked, setChecked] = useState<BackupPolicyJson>();
  const [done, setDone] = useState("");
  const { isBusy, problem, attempt } = useAttempt();
  const policy = policyOf(name, toUri(destination), often, Number(keep));
  // What was checked is what is created.
  const edit = (change: () => void) => {
    change();
    setChecked(undefined);
    setDone("");
  };
  const check = (event: Event) => {
    event.preventDefault();
    attempt(async () => setChecked(await validatePolicy(policy)));
  };
  const create = () =>
    attempt(async () => {
      await createPolicy(policy);
      setChecked(undefined);
      setDone(`Policy ${name} is created.`);
      onCreated();
    });
  const [first] = checked?.status?.nextRunsMicros ?? [];
  return (
    <section class="card">
      <OnDemand title="Add a policy" isOpen={isOpen}>
        <form onSubmit={check}>
          <label for="policy-name">Name</label>
          <input
            id="policy-name"
            required
            pattern="[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?"
            title="Lower-case letters, digits and hyphens"
            value={name}
            onInput={({ currentTarget: { value } }) => edit(() => setName(value))}
          />
          <label for="policy-destination">Directory of the host, or URI</label>
          <input
            id="policy-destination"
            required
            placeholder="/srv/backups/shop, or s3://BUCKET/shop"
            value={destination}
            onInput={({ currentTarget: { value } }) => edit(() => setDestination(value))}
          />
          <label for="policy-often">Backs up</label>
          <select
            id="policy-often"
            value={often}
            onChange={({ currentTarget: { value } }) => edit(() => setOften(value as Often))}
          >
            {times.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
          {often === "continuous" ? (
            <p class="muted">It keeps one chain, which restores to any time of its history.</p>
          ) : (
            <>
              <label for="policy-keep">
                {often === "daily" ? "Days" : "Hours"} of which the newest backup is kept
              </label>
              <input
                id="policy-keep"
                type="number"
                min={1}
                max={10000}
                required
                value={keep}
                onInput={({ currentTarget: { value } }) => edit(() => setKeep(value))}
              />
            </>
          )}
          <div class="row">
            <button type="submit" disabled={isBusy}>
              Check
            </button>
            <button type="button" disabled={isBusy || !checked} onClick={create}>
              Create
            </button>
          </div>
        </form>
        <div aria-live="polite">
          {problem !== "" && <Notice kind="bad">{problem}</Notice>}
          {done !== "" && <Notice kind="good">{done}</Notice>}
          {checked && (
            <Notice kind="good">
              The destination works. Backs up {scheduleWords(checked.schedule)}
              {first !== undefined && (
                <>
                  , first <Time micros={first} />
                </>
              )}
              . Nothing is created yet.
            </Notice>
          )}
        </div>
      </OnDemand>
    </section>
  );
}

function policyOf(name: string, destination: string, often: Often, keep: number): BackupPolicyJson {
  const timeZone = localZone();
  switch (often) {
    case "daily":
      return {
        name,
        destination,
        schedule: { cron: "0 3 * * *", timeZone },
        retention: { keepDaily: keep },
      };
    case "hourly":
      return {
        name,
        destination,
        schedule: { cron: "0 * * * *", timeZone },
        retention: { keepHourly: keep },
      };
    case "continuous":
      return { name, destination, schedule: { continuous: true } };
  }
}
