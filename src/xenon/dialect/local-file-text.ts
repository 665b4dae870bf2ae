import type { FileService } from "../local-files/file-service.js";

const kind = "com:vmware:xenon:services:common:LocalFileService:LocalFileServiceState";

/** Renders a file service with the fields of Xenon, in their order. */
export function serviceText(service: FileService): string {
  return `{${xenonFields(service)}}`;
}

/**
 * Like serviceText, with the progress of the upload: the first and last byte of each received
 * range.
 */
export function progressText(service: FileService): string {
  const { upload } = service;
  const received =
    upload?.received.map(({ start, end }) => `{"first":${start},"last":${end - 1}}`) ?? [];
  return `{${xenonFields(service)},"complete":${upload?.complete ?? false}${totalText(service)},"receivedRanges":[${received.join(",")}]}`;
}

/** Renders the response to a PUT, which omits the received ranges. */
export function receivedText(service: FileService): string {
  const bytes = service.upload?.received.reduce((sum, { start, end }) => sum + end - start, 0) ?? 0;
  return `{"documentSelfLink":${JSON.stringify(service.link)},"complete":${service.upload?.complete ?? false}${totalText(service)},"receivedBytes":${bytes}}`;
}

const totalText = ({ upload }: FileService) =>
  upload?.totalBytes === undefined ? "" : `,"totalBytes":${upload.totalBytes}`;

function xenonFields({
  localFileUri,
  fileOptions,
  writeFinished,
  version,
  link,
  updateTimeMicros,
  action,
}: FileService): string {
  return (
    `"localFileUri":${JSON.stringify(localFileUri)},"fileOptions":${JSON.stringify(fileOptions)},"writeFinished":${writeFinished}` +
    `,"documentVersion":${version},"documentKind":"${kind}","documentSelfLink":${JSON.stringify(link)},"documentUpdateTimeMicros":${updateTimeMicros}` +
    `${action === undefined ? "" : `,"documentUpdateAction":"${action}"`},"documentExpirationTimeMicros":0`
  );
}
