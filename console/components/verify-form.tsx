import { useId, useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  VerifyLevelJson,
  VerifyResultJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { useAttempt } from "../api/attempt.js";
import { decryptionOf, verifyBackup } from "../api/backups.js";
import type { ReadableBackup } from "../api/chains.js";
import { follow } from "../api/follow.js";
import { bytes, count, duration } from "../text/format.js";
import { Notice } from "./notice.js";
import { OperationProgress } from "./operation-progress.js";

const levels: [level: VerifyLevelJson, text: string][] = [
  ["VERIFY_LEVEL_METADATA", "metadata: the manifest, and that its files are there"],
  ["VERIFY_LEVEL_SAMPLE", "sample: the checksums of 5 % of the rows"],
  ["VERIFY_LEVEL_FULL", "full: every file and every row"],
];

const test = "VERIFY_LEVEL_TEST_RESTORE";

/** Verifies a backup, or restores it on trial. */
export function VerifyForm({
  listed,
  onChanged,
}: {
  listed: ReadableBackup;
  onChanged: () => void;
}) {
  const id = useId();
  const [level, setLevel] = useState<VerifyLevelJson>("VERIFY_LEVEL_FULL");
  const [secret, setSecret] = useState("");
  const [operation, setOperation] = useState<OperationJson>();
  const { isBusy, problem, attempt } = useAttempt();
  const verify = (wanted: VerifyLevelJson) =>
    attempt(async (signal) => {
      try {
        const started = await verifyBackup({
          uri: listed.uri,
          backupName: listed.name,
          level: wanted,
          compare: wanted === test,
          ...(secret.trim() !== "" && { decryption: decryptionOf(secret) }),
        });
        await follow(started, setOperation, signal);
      } finally {
        // What was found is part of the list, a failure too.
        if (!signal.aborted) onChanged();
      }
    });
  return (
    <section>
      <h3>Verify</h3>
      <fieldset disabled={isBusy}>
        <label for={`${id}-level`}>How</label>
        <select
          id={`${id}-level`}
          value={level}
          onChange={(event) => setLevel(event.currentTarget.value as VerifyLevelJson)}
        >
          {levels.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
        {listed.backup.encrypted && (
          <>
            <label for={`${id}-secret`}>
              Identity (AGE-SECRET-KEY-…) or passphrase; metadata needs none
            </label>
            <input
              id={`${id}-secret`}
              type="password"
              autocomplete="off"
              value={secret}
              onInput={(event) => setSecret(event.currentTarget.value)}
            />
          </>
        )}
        <div class="row">
          <button type="button" onClick={() => verify(level)}>
            Verify
          </button>
          <button type="button" onClick={() => verify(test)}>
            Test restore
          </button>
        </div>
      </fieldset>
      <p class="muted">
        A test restore restores it to a temporary index and compares that with the live one.
      </p>
      <div aria-live="polite">
        {isBusy && <OperationProgress what="Verifying" operation={operation} />}
        {problem !== "" && <Notice kind="bad">{problem}</Notice>}
        {!isBusy && operation?.response && <Verified operation={operation} />}
      </div>
    </section>
  );
}

function Verified({ operation }: { operation: OperationJson }) {
  const result = (operation.response ?? {}) as VerifyResultJson;
  const { level, documents, records, compared, restoreMicros, warnings = [] } = result;
  return (
    <>
      <Notice kind="good">
        {level === test
          ? `Restored ${count(documents)} documents in ${duration(Number(restoreMicros ?? 0))}${compared ? ", equal to the live index at that time" : ", as the manifest states"}.`
          : `Intact: ${count(records)} rows checked, ${bytes(result.bytes)} read.`}
      </Notice>
      {warnings.map((one) => (
        <Notice key={one} kind="warn">
          {one}
        </Notice>
      ))}
    </>
  );
}
