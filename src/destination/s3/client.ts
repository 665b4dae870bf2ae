import { Agent as HttpAgent, type AgentOptions } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP, type NetConnectOpts } from "node:net";
import { Transform, type Readable } from "node:stream";
import type * as Sdk from "@aws-sdk/client-s3";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { checkAddress, createLookup, type AddressPolicy } from "../network/address-policy.js";
import type { ClientTls } from "../network/tls.js";
import { retry, type Attempt } from "../retry.js";
import { fromS3Error, isClockSkew, type S3Request } from "./failure.js";
import { parseS3Endpoint, type S3Endpoint } from "./uri.js";

/** Options of an S3Connection. */
export interface S3ConnectionOptions {
  platform: Platform;
  /** Default: AWS, or the endpoint in the environment or the profile. */
  endpoint?: S3Endpoint | undefined;
  /** Default: that of the environment or the profile; us-east-1 with an endpoint. */
  region?: string | undefined;
  /** Whether the bucket is in the path of a request, not in the host name. Default: with an endpoint. */
  pathStyle?: boolean | undefined;
  /** Addresses to which the host may connect. */
  policy: AddressPolicy;
  tls: ClientTls;
}

/** One attempt of a request. */
export interface S3Call {
  sdk: typeof Sdk;
  /** Sends a command, and cancels it after limits.httpIdleTimeoutMs without traffic. */
  send: Sdk.S3Client["send"];
  attempt: Attempt;
  /** Reports traffic. */
  touch(): void;
  /** Aborts with the caller's signal, or when there was no traffic for too long. */
  signal: AbortSignal;
  /** Time without traffic after which a body that is read after the attempt has failed. */
  idleTimeoutMs: number;
  /** Stops the timeout, because the caller processes what it received. `touch` starts it again. */
  pause(): void;
}

/** Options of S3Connection.request. */
export interface S3RequestOptions extends S3Request {
  signal: AbortSignal;
  /** Time without traffic after which the attempt fails. Default: as for every destination. */
  idleTimeoutMs?: number;
}

/**
 * Sends requests to a store with the official client, which signs them and finds the credentials.
 * Retries, timeouts, addresses and sizes of responses are bounded here.
 */
export class S3Connection {
  readonly #options: S3ConnectionOptions;
  #opened: Promise<Opened> | undefined;

  constructor(options: S3ConnectionOptions) {
    this.#options = options;
    const { endpoint, policy } = options;
    // Node does not look up an address, so that the error comes before an operation starts.
    if (endpoint && isIP(endpoint.hostname))
      checkAddress(policy, endpoint.hostname, endpoint.port, endpoint.hostname);
  }

  /**
   * Runs `work`, and repeats it after a transient failure as retry.ts does. Throws the converted error
   * of the last attempt.
   */
  async request<T>(
    { signal, idleTimeoutMs, ...request }: S3RequestOptions,
    work: (call: S3Call) => Promise<T>,
  ): Promise<T> {
    const opened = await this.#open(request);
    let isSkewCorrected = false;
    return retry(this.#options.platform, signal, async (attempt) => {
      for (;;) {
        const idle = new IdleTimer(idleTimeoutMs ?? attempt.idleTimeoutMs, request.uri);
        const either = AbortSignal.any([signal, idle.signal]);
        const { sdk, client } = opened;
        try {
          return await work({
            sdk,
            attempt,
            signal: either,
            idleTimeoutMs:
              this.#options.platform.transfer?.idleTimeoutMs ?? limits.httpIdleTimeoutMs,
            touch: () => idle.touch(),
            pause: () => idle.stop(),
            send: ((command: Parameters<typeof client.send>[0]) =>
              client.send(command, { abortSignal: either })) as Sdk.S3Client["send"],
          });
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          if (idle.signal.aborted) throw idle.signal.reason;
          // The client has corrected its clock by the response.
          if (isClockSkew(error) && !isSkewCorrected) {
            isSkewCorrected = true;
            continue;
          }
          throw fromS3Error(error, request);
        } finally {
          idle.stop();
        }
      }
    });
  }

  /** Closes the connections. Later requests open new ones. */
  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    const found = await opened?.catch(() => undefined);
    found?.client.destroy();
    for (const agent of found?.agents ?? []) agent.destroy();
  }

  async #open(request: S3Request): Promise<Opened> {
    this.#opened ??= openClient(this.#options);
    try {
      return await this.#opened;
    } catch (error) {
      this.#opened = undefined;
      throw fromS3Error(error, request);
    }
  }
}

interface Opened {
  sdk: typeof Sdk;
  client: Sdk.S3Client;
  agents: HttpAgent[];
}

/** Returns the server that the environment names. CONFIGURATION_INVALID for what is no endpoint. */
export function endpointInEnvironment(): S3Endpoint | undefined {
  for (const name of ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) {
    const text = process.env[name];
    if (!text) continue;
    try {
      return parseS3Endpoint(text);
    } catch (cause) {
      throw new HostError(
        "CONFIGURATION_INVALID",
        `The variable ${name} is not an endpoint. Use https://HOST or https://HOST:PORT, or the same with http.`,
        { cause },
      );
    }
  }
  return undefined;
}

async function openClient(options: S3ConnectionOptions): Promise<Opened> {
  const { endpoint, policy, tls } = options;
  const hasEndpoint = (endpoint ?? endpointInEnvironment()) !== undefined;
  const { pathStyle = hasEndpoint } = options;
  // A hint for developers that the users of this program would see. package.json pins the version.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  // Loaded only for a backup in an object store.
  const sdk = await import("@aws-sdk/client-s3");
  const region = options.region ?? (hasEndpoint ? await configuredRegion(sdk) : undefined);
  const agentOptions: AgentOptions = { keepAlive: true, maxSockets: limits.s3Connections };
  const httpAgent = guarded(new HttpAgent(agentOptions), policy);
  const httpsAgent = guarded(new HttpsAgent({ ...agentOptions, ...tls }), policy);
  const client = new sdk.S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint && { endpoint: endpoint.url }),
    forcePathStyle: pathStyle,
    // retry.ts retries, with the same bounds as for other destinations.
    maxAttempts: 1,
    // Many stores accept neither trailers nor other checksums than those sent here.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Without a logger, the client writes to the console of the host.
    logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
    requestHandler: { httpAgent, httpsAgent, connectionTimeout: limits.httpIdleTimeoutMs },
  });
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      boundBody(args.request, result.response);
      return result;
    },
    { step: "deserialize", priority: "low", name: "boundResponse" },
  );
  return { sdk, client, agents: [httpAgent, httpsAgent] };
}

/** Returns the region of the environment or the profile, otherwise the one that other stores expect. */
async function configuredRegion(sdk: typeof Sdk): Promise<string> {
  const client = new sdk.S3Client({});
  try {
    return await client.config.region();
  } catch {
    return "us-east-1";
  } finally {
    client.destroy();
  }
}

/** Applies the address policy to each connection of an agent, whatever the endpoint. */
function guarded<A extends HttpAgent>(agent: A, policy: AddressPolicy): A {
  const target = agent as unknown as {
    createConnection(
      options: NetConnectOpts & { host: string; port: number },
      done: unknown,
    ): unknown;
  };
  const connect = target.createConnection.bind(agent);
  target.createConnection = (options, done) => {
    const { host, port } = options;
    if (isIP(host)) checkAddress(policy, host, port, host);
    return connect({ ...options, lookup: createLookup(policy, port) }, done);
  };
  return agent;
}

/**
 * Limits the body of a response that the client reads into memory: everything but an object. Objects
 * are read as streams.
 */
function boundBody(request: unknown, response: unknown): void {
  const { query = {} } = request as { query?: Record<string, unknown> };
  const answer = response as { statusCode?: number; body?: Readable };
  const { statusCode = 0, body } = answer;
  if (body === undefined || (query["x-id"] === "GetObject" && statusCode < 300)) return;
  let bytes = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= limits.s3ResponseBytes) return done(null, chunk);
      done(
        new HostError(
          "DESTINATION_REFUSED",
          `The store sent a response of more than ${limits.s3ResponseBytes} bytes.`,
        ),
      );
    },
  });
  body.once("error", (error) => bounded.destroy(error));
  bounded.once("close", () => body.destroy());
  answer.body = body.pipe(bounded);
}

/** Aborts a request after a time without traffic. */
class IdleTimer {
  readonly #timeoutMs: number;
  readonly #expired = new AbortController();
  readonly #expire: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number, uri: string) {
    this.#timeoutMs = timeoutMs;
    this.#expire = () =>
      this.#expired.abort(
        new HostError(
          "DESTINATION_UNREACHABLE",
          `The store of ${uri} timed out: no traffic for ${Math.round(timeoutMs) / 1000} s.`,
        ),
      );
    this.touch();
  }

  get signal(): AbortSignal {
    return this.#expired.signal;
  }

  touch(): void {
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(this.#expire, this.#timeoutMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
