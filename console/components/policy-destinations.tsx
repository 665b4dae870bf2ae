import type {
  PolicyDestinationJson,
  PolicyStatusJson,
} from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { count, duration } from "../text/format.js";
import { DestinationCheck } from "./destination-check.js";
import { Time } from "./time.js";
import { VerificationResult } from "./verification-result.js";

/** What is at each destination of a policy, and what was proven of it. */
export function PolicyDestinations({ status }: { status: PolicyStatusJson }) {
  return (
    <section>
      <h3>Destinations</h3>
      <table class="stack">
        <thead>
          <tr>
            <th scope="col">Destination</th>
            <th scope="col">Last success</th>
            <th scope="col">Behind</th>
            <th scope="col">Last verification</th>
            <th scope="col">Last proven restore</th>
          </tr>
        </thead>
        <tbody>
          {(status.destinations ?? []).map((one) => (
            <Destination key={one.uri} one={one} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Destination({ one }: { one: PolicyDestinationJson }) {
  const { uri = "", copy, lastError, lastVerification, lastRestoreTest: test } = one;
  const lag = Number(one.lagMicros ?? 0);
  return (
    <tr>
      <th scope="row" data-label="Destination">
        <a href={`#/backups/${encodeURIComponent(uri)}`}>{uri}</a>
        {copy && <span class="muted"> copy</span>}
        {lastError && <div class="bad">{lastError}</div>}
        <DestinationCheck uri={uri} />
      </th>
      <td data-label="Last success">
        <Time micros={one.lastSuccessMicros} />
      </td>
      <td data-label="Behind">{lag > 0 ? <span class="warn">{duration(lag)}</span> : "no"}</td>
      <td data-label="Last verification">
        <VerificationResult verification={lastVerification} none="never" />
      </td>
      <td data-label="Last proven restore">
        <Time micros={one.lastProvenRestoreMicros} />
        {test?.passed && (
          <div class="muted">
            {count(test.documents)} documents in {duration(Number(test.restoreMicros ?? 0))}
            {!test.compared && ", not compared with the live index"}
          </div>
        )}
        {test && !test.passed && <div class="bad">The last test failed: {test.problem}</div>}
      </td>
    </tr>
  );
}
