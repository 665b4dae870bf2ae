import { openHttpFileClient, type HttpResponse } from "../destination/http/client.js";
import type { HttpUri } from "../destination/http/uri.js";
import type { AddressPolicy } from "../destination/network/address-policy.js";
import { fromStatus } from "../destination/network/failure.js";
import type { ClientTls } from "../destination/network/tls.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { NotificationClock } from "./clock.js";

/** How notifications reach other machines. */
export interface NotificationNetwork {
  /** Addresses to which this host may connect. */
  policy: AddressPolicy;
  tls: ClientTls;
  clock: NotificationClock;
}

/** A request of a notification. */
export interface NotificationRequest {
  /** Role of the server in messages, for example `The webhook`. */
  role: string;
  /** Its `shown` names the server in messages. */
  uri: HttpUri;
  headers: Record<string, string>;
  /** Sent with POST. Default: a GET without a body. */
  body?: string;
}

/**
 * Sends a request on a connection of its own and resolves to the status, which is 2xx. Redirects are
 * not followed. Of the response body, limits.deliveryAnswerBytes are read and dropped.
 *
 * Throws ADDRESS_NOT_ALLOWED, or DESTINATION_UNREACHABLE or DESTINATION_REFUSED with the status in the
 * metadata if there was one, also after limits.deliveryTimeoutMs; the reason of `signal` if it is
 * aborted.
 */
export async function sendRequest(
  { role, uri, headers, body }: NotificationRequest,
  { policy, tls, clock }: NotificationNetwork,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const client = openHttpFileClient(uri, { role, policy, tls });
  const method = body === undefined ? "GET" : "POST";
  const end = new AbortController();
  const timer = clock.setTimer(() => end.abort(timedOut(client.name)), limits.deliveryTimeoutMs);
  const abort = () => end.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let accepted: number | undefined;
  try {
    return await client.request(
      {
        method,
        headers: { "user-agent": "holdfast", connection: "close", ...headers },
        ...(body !== undefined && { send: (write) => write(Buffer.from(body)) }),
        // The timeout of the whole request ends it earlier.
        idleTimeoutMs: limits.deliveryTimeoutMs * 2,
      },
      end.signal,
      async (response) => {
        const { status } = response;
        if (status < 200 || status > 299)
          throw fromStatus(status, response.header("retry-after"), method, client.name);
        accepted = status;
        await dropBody(response, client.name);
        return status;
      },
    );
  } catch (error) {
    // The status is the answer: a body that is cut, or does not end, changes nothing.
    if (accepted !== undefined) return accepted;
    throw error;
  } finally {
    timer.clear();
    signal.removeEventListener("abort", abort);
    client.close();
  }
}

/** Throws DESTINATION_REFUSED if the body is too long, which closes the connection. */
async function dropBody({ body }: HttpResponse, name: string): Promise<void> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limits.deliveryAnswerBytes)
      throw new HostError(
        "DESTINATION_REFUSED",
        `${name} responded with more than ${limits.deliveryAnswerBytes} bytes.`,
      );
  }
}

const timedOut = (name: string) =>
  new HostError(
    "DESTINATION_UNREACHABLE",
    `${name} did not respond within ${limits.deliveryTimeoutMs / 1000} s.`,
  );
