import type { ServiceImpl } from "@connectrpc/connect";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../gen/ts/grpc/health/v1/health_pb.js";
import { bindService, type BoundService } from "./call/bound-service.js";

/** State of the grpc.health.v1 service. The name "" denotes the whole server. */
export interface HealthRegistry {
  readonly service: BoundService;
  /** Sets the status of a service and notifies watchers. */
  set(name: string, serving: boolean): void;
  /** Whether a service is serving; undefined for an unknown name. */
  serves(name: string): boolean | undefined;
  /** Sets all services to NOT_SERVING, notifies watchers and ends their streams. */
  close(): void;
}

/** Creates a registry in which the given names and "" are serving. */
export function createHealth(names: Iterable<string>): HealthRegistry {
  const statuses = new Map<string, ServingStatus>([["", ServingStatus.SERVING]]);
  for (const name of names) statuses.set(name, ServingStatus.SERVING);
  const watchers = new Set<() => void>();
  let closed = false;
  const changed = () => watchers.forEach((wake) => wake());

  /** Resolves at the next change of any status, and when the call ends. */
  const nextChange = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const wake = () => {
        watchers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      watchers.add(wake);
      signal.addEventListener("abort", wake);
      if (signal.aborted) wake();
    });

  const implementation: ServiceImpl<typeof Health> = {
    check({ service }) {
      const status = statuses.get(service);
      if (status === undefined)
        throw new HostError("ROUTE_NOT_FOUND", `Service ${service} not found.`);
      return { status };
    },
    list: () => ({
      statuses: Object.fromEntries([...statuses].map(([name, status]) => [name, { status }])),
    }),
    async *watch({ service }, { signal }) {
      if (watchers.size >= limits.healthWatches)
        throw new HostError(
          "STREAM_LIMIT",
          `Limit of ${watchers.size} concurrent health watches reached. Use Check or GET /healthz.`,
        );
      let last: ServingStatus | undefined;
      while (!signal.aborted) {
        const status = statuses.get(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
        if (closed) return;
        // The status may have changed while the previous one was sent.
        if ((statuses.get(service) ?? ServingStatus.SERVICE_UNKNOWN) === status)
          await nextChange(signal);
      }
    },
  };
  return {
    service: bindService(Health, implementation),
    set(name, serving) {
      if (closed) return;
      statuses.set(name, serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
      changed();
    },
    serves(name) {
      const status = statuses.get(name);
      return status === undefined ? undefined : status === ServingStatus.SERVING;
    },
    close() {
      for (const name of statuses.keys()) statuses.set(name, ServingStatus.NOT_SERVING);
      closed = true;
      changed();
    },
  };
}
