import { isIP } from "node:net";
import { parseHttpUri } from "../destination/http/uri.js";
import { checkAddress, type AddressPolicy } from "../destination/network/address-policy.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { policyEventTypes, type WebhookTarget } from "./event.js";

/**
 * Checks a webhook. Throws REQUEST_INVALID with the field in the metadata; the error contains neither
 * the secret nor the URL.
 *
 * @param field Path of the webhook in its request, for example `notify.webhooks[0]`.
 */
export function checkWebhook({ url, secret, events }: WebhookTarget, field: string): void {
  checkUrl(url, `${field}.url`);
  if (!isSecret(secret))
    throw invalid(
      `${field}.secret`,
      `must be whsec_ and the base64 of ${limits.webhookKeyBytesMin} to ${limits.webhookKeyBytesMax} random bytes. Create one with: echo "whsec_$(openssl rand -base64 32)"`,
    );
  const types: ReadonlySet<string> = new Set(policyEventTypes);
  for (const [i, type] of events.entries()) {
    if (!types.has(type))
      throw invalid(
        `${field}.events[${i}]`,
        `unknown type of event ${JSON.stringify(type.slice(0, 64))}. Use ${policyEventTypes.join(", ")}.`,
      );
  }
}

/**
 * Checks a heartbeat URL. Throws REQUEST_INVALID with the field in the metadata; the error does not
 * contain the URL.
 */
export function checkHeartbeatUrl(url: string, field: string): void {
  checkUrl(url, field);
}

/**
 * Throws ADDRESS_NOT_ALLOWED with the field in the metadata if a URL has an address, and no name, to which the policy
 * does not allow connections. Names are checked when they are looked up, at each request.
 */
export function checkLiteralAddress(policy: AddressPolicy, url: string, field: string): void {
  const { hostname, port } = parseHttpUri(url);
  if (!isIP(hostname)) return;
  try {
    checkAddress(policy, hostname, port, hostname);
  } catch (thrown) {
    throw HostError.from(thrown).inField(field);
  }
}

function checkUrl(url: string, field: string): void {
  if (url.length > limits.notificationUrlChars)
    throw invalid(field, `is longer than ${limits.notificationUrlChars} characters.`);
  try {
    parseHttpUri(url);
  } catch (cause) {
    throw invalid(
      field,
      "is not a URL to send requests to. Use http://host/path or https://host/path, percent-escaped, without user name, password and fragment.",
      cause,
    );
  }
}

/** The base64 must be the canonical one, because receivers decode it with different libraries. */
function isSecret(secret: string): boolean {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  if (base64 === undefined || base64.length > limits.webhookKeyBytesMax * 2) return false;
  const key = Buffer.from(base64, "base64");
  return (
    key.toString("base64") === base64 &&
    key.length >= limits.webhookKeyBytesMin &&
    key.length <= limits.webhookKeyBytesMax
  );
}

const invalid = (field: string, problem: string, cause?: unknown) =>
  new HostError("REQUEST_INVALID", `${field}: ${problem}`, { metadata: { field }, cause });
