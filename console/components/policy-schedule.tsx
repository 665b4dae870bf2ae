import type {
  BackupPolicyJson,
  PolicyScheduleJson,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { localZone } from "../text/format.js";
import { nameOf } from "../text/names.js";
import { durationWords, scheduleWords } from "../text/schedule.js";
import { Time } from "./time.js";

/** When a policy runs, and its next runs. */
export function PolicySchedule({ policy }: { policy: BackupPolicyJson }) {
  const { schedule, verify, restoreTest, status = {}, maxAge, jitter } = policy;
  const { nextRunsMicros = [], otherRuns = [], retryMicros, missedRuns, skippedRuns } = status;
  return (
    <section>
      <h3>Schedule</h3>
      <ul class="plain">
        <li>
          Backs up <Words schedule={schedule} />
          {jitter && `, up to ${durationWords(jitter)} later`}
        </li>
        {verify && (
          <li>
            Verifies ({nameOf(verify.level, "VERIFY_LEVEL_")}) <Words schedule={verify.schedule} />
          </li>
        )}
        {restoreTest && (
          <li>
            Tests a restore <Words schedule={restoreTest.schedule} />
          </li>
        )}
        {maxAge && <li>Unhealthy if the newest backup is older than {durationWords(maxAge)}</li>}
      </ul>
      {Number(retryMicros ?? 0) > 0 && (
        <p>
          Tries again: <Time micros={retryMicros} />
        </p>
      )}
      {nextRunsMicros.length > 0 && (
        <>
          <p class="muted">Next runs, in the zone of this browser ({localZone()}):</p>
          <ol class="runs">
            {nextRunsMicros.map((micros) => (
              <li key={micros}>
                <Time micros={micros} />
              </li>
            ))}
          </ol>
        </>
      )}
      <ul class="plain">
        {otherRuns.map(({ kind, destination, timeMicros }) => (
          <li key={`${kind} ${destination}`}>
            Next {nameOf(kind, "POLICY_RUN_KIND_")}
            {destination && ` to ${destination}`}: <Time micros={timeMicros} />
          </li>
        ))}
      </ul>
      {Number(missedRuns ?? 0) + Number(skippedRuns ?? 0) > 0 && (
        <p class="muted">
          {missedRuns} runs were missed while the host was down, {skippedRuns} skipped.
        </p>
      )}
    </section>
  );
}

/** A schedule in words, with its zone and what it is made from. */
function Words({ schedule }: { schedule: PolicyScheduleJson | undefined }) {
  const { cron, timeZone } = schedule ?? {};
  return (
    <>
      {scheduleWords(schedule)}
      {cron !== undefined && (
        <>
          , {timeZone ?? "UTC"} <code>{cron}</code>
        </>
      )}
    </>
  );
}
