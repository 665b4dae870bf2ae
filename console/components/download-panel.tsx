import { useState } from "preact/hooks";
import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  BackupResultJson,
  HostJson,
  TransferJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { useAttempt } from "../api/attempt.js";
import { deleteTransfer, downloadTransfer, getTransfer } from "../api/backups.js";
import { follow } from "../api/follow.js";
import { startBackup } from "../api/host.js";
import { may } from "../api/may.js";
import { canStream, memoryBytes, saveByMemory, saveByStream } from "../api/save.js";
import { bytes, localTime } from "../text/format.js";
import { durableIndex } from "../text/names.js";
import { DownloadByHand } from "./download-by-hand.js";
import { Notice } from "./notice.js";
import { OperationProgress } from "./operation-progress.js";

/** Downloads a backup of a live index as an archive: the host makes it, keeps it for a while, and sends it. */
export function DownloadPanel({ host }: { host: HostJson }) {
  const [indexLink, setIndexLink] = useState(durableIndex);
  const [operation, setOperation] = useState<OperationJson>();
  const [transfer, setTransfer] = useState<TransferJson>();
  const [done, setDone] = useState("");
  const { isBusy, problem, attempt } = useAttempt();
  const saved = async (one: TransferJson) => {
    setDone(`Saved ${fileNameOf(one)}: ${bytes(one.sizeBytes)}, SHA-256 ${one.sha256}.`);
    setTransfer(undefined);
    await deleteTransfer(one.name ?? "");
  };
  const make = () =>
    attempt(async (signal) => {
      setDone("");
      setTransfer(undefined);
      setOperation(undefined);
      const started = await startBackup({ destination: "transfer:", indexLink });
      const { response } = await follow(started, setOperation, signal);
      const { backup } = (response ?? {}) as BackupResultJson;
      const made = await getTransfer((backup?.uri ?? "").replace("transfer:", "transfers/"));
      setTransfer(made);
      const size = Number(made.sizeBytes ?? 0);
      if (size > memoryBytes) return;
      const answer = await downloadTransfer(made.name ?? "", signal);
      await saveByMemory(answer, fileNameOf(made), size);
      await saved(made);
    });
  const save = (one: TransferJson) =>
    attempt(async (signal) => {
      const ask = () => downloadTransfer(one.name ?? "", signal);
      if (await saveByStream(ask, fileNameOf(one), signal)) await saved(one);
    });

  if (!may("backup") || !may("read")) return null;
  return (
    <section class="card">
      <h2>Download</h2>
      <p>
        Makes a backup of an index as it is now, and saves it on this computer as one archive, from
        which <code>holdfast restore</code> restores.
      </p>
      <label for="download-index">Index</label>
      <select
        id="download-index"
        value={indexLink}
        disabled={isBusy}
        onChange={(event) => setIndexLink(event.currentTarget.value)}
      >
        {(host.indexes ?? []).map(({ link }) => (
          <option key={link} value={link}>
            {link}
          </option>
        ))}
      </select>
      <div class="row">
        <button type="button" disabled={isBusy} onClick={make}>
          Back up and download
        </button>
      </div>
      <div aria-live="polite">
        {isBusy && <OperationProgress what="Download" operation={operation} />}
        {problem !== "" && <Notice kind="bad">{problem}</Notice>}
        {done !== "" && <Notice kind="good">{done}</Notice>}
        {transfer && !isBusy && (
          <>
            <p>
              The archive is ready: {bytes(transfer.sizeBytes)}. The host keeps it until{" "}
              {localTime(Number(transfer.expireTimeMicros ?? 0)).slice(11, 16)}.
            </p>
            {canStream && (
              <button type="button" onClick={() => save(transfer)}>
                Save it…
              </button>
            )}
            <DownloadByHand transfer={transfer} fileName={fileNameOf(transfer)} />
          </>
        )}
      </div>
    </section>
  );
}

/** Named after the index and the time. Who restores it knows an encrypted one by its end. */
function fileNameOf({ backup, createTimeMicros }: TransferJson): string {
  const time = localTime(Number(createTimeMicros ?? 0)).slice(0, 19);
  const index = (backup?.indexLink ?? "").split("/").pop() ?? "";
  const end = backup?.encrypted ? "zip.age" : "zip";
  return `holdfast-${index}-${time.replaceAll(":", "").replace(" ", "-")}.${end}`;
}
