import { createRegistry } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import type { BoundService } from "../../../src/api/call/bound-service.js";
import type { CallChecks } from "../../../src/api/policy/interceptors.js";
import { long } from "../../support/long.js";
import { directTransport } from "./direct.js";
import { restTransport } from "./rest.js";

/** Capabilities of a protocol; test cases depend on them. */
export interface Abilities {
  /** Streams of requests. */
  uploads: boolean;
  /** The deadline of the client reaches the server. */
  deadlines: boolean;
  trailers: boolean;
  /** Flow control lies between client and method and delays messages to a slow reader. */
  wire: boolean;
  /** Documents of 16 MiB within the time of every test run: protobuf-es takes many seconds for bytes in JSON. */
  large: boolean;
}

export interface Protocol {
  can: Abilities;
  /** Opened for each test. */
  open(served: Served): { transport: Transport; close: () => void };
}

export interface Served extends CallChecks {
  services: readonly BoundService[];
  httpUrl: string;
  grpcUrl: string;
  /** ID of the host that is asked, unless it is the one of the services. */
  id?: string;
}

const everything = { uploads: true, deadlines: true, trailers: true, wire: true, large: true };
const nothingToClose = () => undefined;
const registryOf = ({ services }: Served) =>
  createRegistry(...services.map(({ service }) => service.file));

/** Every protocol of a host. */
export const protocols: Readonly<Record<string, Protocol>> = {
  "in process": {
    can: { ...everything, wire: false },
    open: ({ services, ...checks }) => ({
      transport: directTransport(services, checks),
      close: nothingToClose,
    }),
  },
  gRPC: {
    can: everything,
    open(served) {
      const sessionManager = new Http2SessionManager(served.grpcUrl);
      return {
        transport: createGrpcTransport({ baseUrl: served.grpcUrl, sessionManager }),
        close: () => sessionManager.abort(),
      };
    },
  },
  "Connect JSON": {
    can: { ...everything, large: long },
    open: (served) => ({
      transport: createConnectTransport({
        baseUrl: served.httpUrl,
        httpVersion: "1.1",
        useBinaryFormat: false,
        jsonOptions: { registry: registryOf(served) },
      }),
      close: nothingToClose,
    }),
  },
  Connect: {
    can: everything,
    open: ({ httpUrl }) => ({
      transport: createConnectTransport({
        baseUrl: httpUrl,
        httpVersion: "1.1",
        useBinaryFormat: true,
      }),
      close: nothingToClose,
    }),
  },
  "gRPC-Web": {
    can: everything,
    open: ({ httpUrl }) => ({
      transport: createGrpcWebTransport({ baseUrl: httpUrl, httpVersion: "1.1" }),
      close: nothingToClose,
    }),
  },
  REST: {
    can: { uploads: false, deadlines: false, trailers: false, wire: true, large: true },
    open: (served) => ({
      transport: restTransport(served.httpUrl, registryOf(served)),
      close: nothingToClose,
    }),
  },
};
