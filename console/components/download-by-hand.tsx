import type { TransferJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { downloadPath } from "../api/backups.js";
import { token } from "../api/session.js";

/** How to download an archive with curl, for browsers that cannot save large ones. */
export function DownloadByHand({
  transfer,
  fileName,
}: {
  transfer: TransferJson;
  fileName: string;
}) {
  const url = `${window.location.origin}${downloadPath(transfer.name ?? "")}`;
  // The token itself would stay in the history of the shell.
  const header = token.value === undefined ? "" : '-H "Authorization: Bearer $TOKEN" ';
  return (
    <>
      <p>With curl, which also resumes it with the same command:</p>
      <pre>
        curl -C - {header}-o {fileName} {url}
      </pre>
    </>
  );
}
