import { HostError } from "../../errors.js";
import { fromRequestError } from "../network/failure.js";

/** What a request was about, for messages. */
export interface S3Request {
  /** Completes `Cannot ...`, for example `write` or `list`. */
  action: string;
  /** URI of the object or namespace, without credentials. */
  uri: string;
  bucket: string;
}

/** The parts of an error of the AWS SDK that are used. */
interface SdkError {
  name?: unknown;
  code?: unknown;
  $metadata?: { httpStatusCode?: unknown; clockSkewCorrected?: unknown };
  $response?: { headers?: Record<string, unknown> };
}

/** Returns the status of a response that the SDK converted to an error. */
export function statusOf(thrown: unknown): number | undefined {
  const status = (thrown as SdkError | undefined)?.$metadata?.httpStatusCode;
  return typeof status === "number" ? status : undefined;
}

/** Returns the error code of a response, for example NoSuchKey. */
export function s3CodeOf(thrown: unknown): string {
  const { name } = (thrown ?? {}) as SdkError;
  return typeof name === "string" && /^[A-Za-z0-9.]{1,64}$/.test(name) ? name : "unknown error";
}

/** Whether a condition of a request was not met: If-Match or If-None-Match. */
export function isConditionFailed(thrown: unknown): boolean {
  return statusOf(thrown) === 412 || s3CodeOf(thrown) === "PreconditionFailed";
}

/**
 * Whether an object does not exist. A missing bucket has another code, and so has an unknown user at
 * versitygw, unless the method is HEAD.
 */
export function isNoSuchKey(thrown: unknown): boolean {
  return statusOf(thrown) === 404 && !/^(NoSuchBucket|XAdminUserNotFound)$/.test(s3CodeOf(thrown));
}

/**
 * Whether the clocks of this machine and of the store differ too much for a signature. The response to
 * HEAD does not say so; the client notices the date of the store.
 */
export function isClockSkew(thrown: unknown): boolean {
  const { $metadata } = (thrown ?? {}) as SdkError;
  return s3CodeOf(thrown) === "RequestTimeTooSkewed" || $metadata?.clockSkewCorrected === true;
}

/** Whether a multipart upload does not exist: it is complete, or somebody aborted it. */
export function isNoSuchUpload(thrown: unknown): boolean {
  return thrown instanceof HostError
    ? thrown.metadata["s3Code"] === "NoSuchUpload"
    : s3CodeOf(thrown) === "NoSuchUpload";
}

const credentialHint =
  "Check the credentials of the host, or of this command if it runs without one: environment, credentials file, or role of the machine.";

/** What a refusal means and what to do, by the error code of S3. */
const refusals: Record<string, string> = {
  AccessDenied: `access denied. Allow the action in the policy of the user and of the bucket.`,
  Forbidden: `access denied. Allow the action in the policy of the user and of the bucket.`,
  AllAccessDisabled: "all access to the bucket is disabled.",
  InvalidAccessKeyId: `the store does not know the access key. ${credentialHint}`,
  XAdminUserNotFound: `the store does not know the access key. ${credentialHint}`,
  SignatureDoesNotMatch: `the secret key is wrong. ${credentialHint}`,
  InvalidToken: `the session token is invalid. ${credentialHint}`,
  ExpiredToken: "the credentials have expired. Renew them.",
  ExpiredTokenException: "the credentials have expired. Renew them.",
  TokenRefreshRequired: "the credentials have expired. Renew them.",
  RequestTimeTooSkewed:
    "the clock of this machine differs too much from that of the store. Set the clock.",
  InvalidBucketName: "the store does not accept the name of the bucket. Check the URI.",
  NoSuchUpload:
    "the multipart upload was aborted by another program or by a lifecycle rule of the bucket. Back up again.",
  InvalidObjectState:
    "the object is in an archive storage class. Restore it to a readable class first.",
  ObjectLockConfigurationNotFoundError:
    "the bucket has no object lock. Create a bucket with object lock, or back up without it.",
};

/** Codes of transient failures besides 5xx responses. */
const transientCodes: ReadonlySet<string> = new Set([
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "RequestLimitExceeded",
  "TooManyRequests",
  "TooManyRequestsException",
  "RequestTimeout",
  "InternalError",
  "ServiceUnavailable",
  "ConditionalRequestConflict",
  "OperationAborted",
]);

const wrongRegionCodes: ReadonlySet<string> = new Set([
  "PermanentRedirect",
  "TemporaryRedirect",
  "Redirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
]);

/**
 * Converts an error of the AWS SDK. DESTINATION_UNREACHABLE can be retried; other reasons cannot. The
 * text of the response is left out, because it may contain anything.
 */
export function fromS3Error(thrown: unknown, { action, uri, bucket }: S3Request): HostError {
  if (thrown instanceof HostError) return thrown;
  const code = s3CodeOf(thrown);
  const status = statusOf(thrown);
  const metadata: Record<string, string> = { s3Code: code };
  if (status !== undefined) metadata["status"] = String(status);
  const cannot = (reason: HostError["reason"], why: string) =>
    new HostError(reason, `Cannot ${action} ${uri}: ${why}`, { metadata, cause: thrown });
  if (/^(CredentialsProviderError|TokenProviderError|ProviderError)$/.test(code))
    return cannot(
      "DESTINATION_REFUSED",
      "there are no credentials for S3. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a credentials file or a role of the machine.",
    );
  // With a status of success, the body could not be parsed.
  if (status === undefined || status < 300) return fromConnection(thrown, uri, cannot);
  if (code === "NoSuchBucket")
    return cannot(
      "DESTINATION_MISSING",
      `the bucket ${bucket} does not exist. Check its name, or create it.`,
    );
  if (wrongRegionCodes.has(code) || (status >= 300 && status < 400))
    return cannot("DESTINATION_REFUSED", wrongRegion(thrown, bucket));
  if (isTransient(thrown)) {
    const seconds = headerOf(thrown, "retry-after");
    if (seconds !== undefined && /^\d{1,5}$/.test(seconds)) metadata["retryAfterSeconds"] = seconds;
    return cannot("DESTINATION_UNREACHABLE", `the store responded with ${status} (${code}).`);
  }
  if (status === 507 || /^(QuotaExceeded|XMinioStorageFull|EntityTooLarge)$/.test(code))
    return cannot("DESTINATION_FULL", `the store is full or the object is too large (${code}).`);
  if (isNoSuchKey(thrown) && code !== "NoSuchUpload")
    return cannot("BACKUP_NOT_FOUND", "it does not exist.");
  if (status === 501)
    return cannot("NOT_SUPPORTED", `the store does not support the request (${code}).`);
  const refusal = refusals[code] ?? (status === 403 ? refusals["AccessDenied"] : undefined);
  return cannot(
    "DESTINATION_REFUSED",
    refusal ?? `the store refused the request with ${status} (${code}).`,
  );
}

/** Whether a response says that a later request may succeed. */
export function isTransient(thrown: unknown): boolean {
  const status = statusOf(thrown) ?? 0;
  if (transientCodes.has(s3CodeOf(thrown)) || status === 408 || status === 429) return true;
  return status >= 500 && status !== 501 && status !== 505 && status !== 507;
}

function headerOf(thrown: unknown, name: string): string | undefined {
  const value = (thrown as SdkError).$response?.headers?.[name];
  return typeof value === "string" ? value : undefined;
}

function wrongRegion(thrown: unknown, bucket: string): string {
  const region = headerOf(thrown, "x-amz-bucket-region");
  return region !== undefined && /^[a-z0-9-]{1,40}$/.test(region)
    ? `the bucket ${bucket} is in the region ${region}. Start the host with --s3-region ${region}.`
    : `the bucket ${bucket} is in another region or at another endpoint. Set --s3-region and --s3-endpoint.`;
}

function fromConnection(
  thrown: unknown,
  uri: string,
  cannot: (reason: HostError["reason"], why: string) => HostError,
): HostError {
  if (thrown instanceof Error && /region is missing/i.test(thrown.message))
    return cannot(
      "DESTINATION_REFUSED",
      "the region is not configured. Start the host with --s3-region, or set AWS_REGION.",
    );
  const converted = fromRequestError(thrown, `The store of ${uri}`);
  if (converted instanceof HostError) return converted;
  if (thrown instanceof Error && thrown.name === "TimeoutError")
    return cannot("DESTINATION_UNREACHABLE", "the store did not respond in time.");
  return cannot("DESTINATION_UNREACHABLE", "the response of the store is incomplete or invalid.");
}
