import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { AddressPolicy } from "../../destination/http/address-policy.js";
import { parseHttpUri, type HttpUri } from "../../destination/http/uri.js";
import { openHttpFileClient, type HttpFileClient } from "../../destination/http/client.js";
import type { ClientTls } from "../../destination/http/tls.js";
import { openHttpWriter } from "./http-destination.js";
import { openHttpSource } from "./http-source.js";
import type { SchemePlaces } from "./places.js";

export interface HttpPlacesOptions {
  platform: Platform;
  policy: AddressPolicy;
  tls: ClientTls;
  /** Archives are packed and fetched there: on the disk of the indexes, emptied at each start. */
  temporaryDirectory: string;
}

/** http: and https: URIs: one archive on a web server, sent by PUTs and fetched by GETs of ranges. */
export function httpPlaces({
  platform,
  policy,
  tls,
  temporaryDirectory,
}: HttpPlacesOptions): SchemePlaces {
  let inbound = 0;

  function peerOf(uri: HttpUri, role: string, bearer: string | undefined): HttpFileClient {
    return openHttpFileClient(uri, { role, policy, tls, ...(bearer !== undefined && { bearer }) });
  }

  /** Nothing of the request is tried, but what can be told from its text alone is told at once. */
  function check(text: string, role: string, bearer: string | undefined): HttpUri {
    if (bearer !== undefined && !/^[\x21-\x7e]+$/.test(bearer)) {
      throw new HostError(
        "REQUEST_INVALID",
        "The bearer holds characters that no header may hold.",
        { metadata: { field: "bearer" } },
      );
    }
    const uri = parseHttpUri(text);
    peerOf(uri, role, undefined).close();
    return uri;
  }

  return {
    async destination({ destination, bearer, verify, since }) {
      if (since !== undefined)
        throw new HostError("REQUEST_INVALID", "since is for transfer: alone.", {
          metadata: { field: "since" },
        });
      const uri = check(destination, "The destination", bearer);
      const connect = () => peerOf(uri, "The destination", bearer);
      const place = {
        platform,
        temporaryDirectory,
        uri,
        connect,
        ...(verify !== undefined && { verify }),
      };
      return {
        target: uri.shown,
        uri: uri.shown,
        container: "STREAM",
        open: (signal, report) => openHttpWriter(place, signal, report),
      };
    },
    async source(text, bearer) {
      const uri = check(text, "The source", bearer);
      return {
        uri: uri.shown,
        container: "STREAM",
        async open(signal, report) {
          if (inbound >= limits.remoteSources)
            throw new HostError(
              "OPERATION_LIMIT",
              `${inbound} sources are being read, as many as the host allows; wait for one to end.`,
            );
          inbound += 1;
          try {
            return await openHttpSource(
              platform,
              temporaryDirectory,
              peerOf(uri, "The source", bearer),
              uri,
              signal,
              report,
              () => void (inbound -= 1),
            );
          } catch (error) {
            inbound -= 1;
            throw error;
          }
        },
      };
    },
  };
}
