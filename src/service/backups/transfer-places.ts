import { describeManifest } from "../../backup/inspect.js";
import { openArchiveWriter } from "../../container/archive-writer.js";
import { renamedError, renamedReader } from "../../container/renamed-reader.js";
import { openZipReader } from "../../container/zip-reader.js";
import { HostError } from "../../errors.js";
import { unsharedLease } from "../../io/lease.js";
import type { Platform } from "../../io/platform.js";
import { isTransferName } from "../../destination/transfer/transfer.js";
import type { DownloadDraft, Transfers } from "../../destination/transfer/transfers.js";
import type { BackupRequest } from "./management-service.js";
import type { SchemePlaces } from "./places.js";
import type { StreamedManifests } from "./streamed-manifests.js";

const scheme = "transfer:";

/** transfer:NAME */
export function transferUri(name: string): string {
  return `${scheme}${name}`;
}

/** The name in a transfer: URI; DESTINATION_INVALID where it is none. */
export function transferNameOf(uri: string): string {
  const name = uri.slice(scheme.length);
  if (uri.slice(0, scheme.length).toLowerCase() === scheme && isTransferName(name)) return name;
  throw new HostError(
    "DESTINATION_INVALID",
    `${JSON.stringify(uri.slice(0, 100))} is no transfer; write transfer:NAME.`,
    { metadata: { field: "source" } },
  );
}

/** transfer: URIs: archives that the host itself keeps for those who fetch them or have sent them. */
export function transferPlaces(
  platform: Platform,
  transfers: Transfers,
  sent: StreamedManifests,
): SchemePlaces {
  async function openWriter(since: string | undefined, draft: DownloadDraft) {
    const previous = since === undefined ? undefined : await sent.find(since);
    return openArchiveWriter(platform, {
      unfinished: draft.unfinished,
      staging: draft.staging,
      lease: unsharedLease,
      existingIsOwn: true,
      existing: previous === undefined ? [] : [{ name: previous.name, file: previous }],
      holds: (segment) =>
        previous?.manifest.segments.some(({ name }) => name === segment.name) ?? false,
      async publish(archive) {
        const backup = describeManifest(
          { uri: transferUri(draft.name), container: "ZIP" },
          archive.manifest,
        );
        await sent.keep(archive.manifest);
        await draft.publish(archive, backup);
        const { lineage, segments } = archive.manifest.manifest;
        const goesOn =
          previous === undefined ||
          (previous.manifest.lineage === lineage &&
            previous.manifest.segments[0]?.name === segments[0]?.name);
        return {
          verified: true,
          warnings: goesOn
            ? []
            : [
                `The history of ${archive.manifest.manifest.indexLink} does not go on from the backup that since names (it was restored meanwhile, or has changed by more than half): everything was packed.`,
              ],
        };
      },
      release: async () => draft.release(),
    });
  }

  return {
    async destination({ destination, container, indexLink, since }: BackupRequest) {
      if (destination.slice(scheme.length) !== "") {
        throw new HostError(
          "DESTINATION_INVALID",
          "The host names a transfer itself: write transfer: and nothing after it.",
          { metadata: { field: "destination" } },
        );
      }
      if (container !== "ZIP")
        throw new HostError(
          "DESTINATION_INVALID",
          "A transfer is one archive: its container is ZIP.",
          { metadata: { field: "container" } },
        );
      const previous = since === undefined ? undefined : (await sent.find(since)).manifest;
      if (previous && previous.indexLink !== indexLink) {
        throw new HostError(
          "BACKUP_OF_OTHER_INDEX",
          `The backup that since names is of ${previous.indexLink}, not of ${indexLink}.`,
          { metadata: { indexLink: previous.indexLink } },
        );
      }
      let name = "";
      return {
        target: since === undefined ? scheme : `${scheme}?since=${since}`,
        get uri() {
          return transferUri(name);
        },
        container: "ZIP",
        async open(_signal, _report, { sizeBytes }) {
          const draft = await transfers.beginDownload(sizeBytes);
          ({ name } = draft);
          try {
            return await openWriter(since, draft);
          } catch (error) {
            draft.release();
            throw error;
          }
        },
      };
    },
    async source(uri) {
      const name = transferNameOf(uri);
      // Said at once, and not only by the operation.
      transfers.hold(name).release();
      return {
        uri: transferUri(name),
        async open() {
          const held = transfers.hold(name);
          try {
            return renamedReader(
              await openZipReader(platform, held.path),
              transferUri(name),
              async () => held.release(),
            );
          } catch (error) {
            held.release();
            throw renamedError(error, held.path, transferUri(name));
          }
        },
      };
    },
  };
}
