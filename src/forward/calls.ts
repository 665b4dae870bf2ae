import { create, type Message } from "@bufbuild/protobuf";
import {
  createContextKey,
  type ContextValues,
  type HandlerContext,
  type Interceptor,
  type MethodImplSpec,
} from "@connectrpc/connect";
import { HostSchema, type Host } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { BoundService } from "../api/call/bound-service.js";
import { one, onlyMessage } from "../api/call/invoke.js";
import { connectToHost, type Connection } from "../client/connect-to-host.js";
import { mayReadOpened, readsOpened } from "../api/policy/reads-opened.js";
import { parseAddress } from "../client/host-address.js";
import { hostErrorOfCall } from "../client/host-error.js";
import type { Member } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { forwardedBy, targetOf, watchRequest, type Leader } from "./leader.js";

/** Certificates for connections to other hosts, in PEM. */
export interface PeerTls {
  ca?: string;
  certificate?: string;
  key?: string;
}

/** Methods that each host answers itself: what it is, its own settings, its end. */
const ownMethods: ReadonlySet<string> = new Set([
  "ConfigureRequestLogging",
  "ConfigureOperationTracing",
  "GetStats",
  "GetActivity",
  "Shutdown",
  "SynchronizeWithPeers",
]);

/**
 * Who answers a call: a host, or, null, this one. Decided once, when the call begins, so that what is checked here is
 * answered here.
 */
const answering = createContextKey<Member | null | undefined>(undefined);

/** Whether only the leader can answer a method. */
const isOfLeader = ({ parent, name }: MethodImplSpec["method"]) =>
  parent.typeName !== "holdfast.document.v1.DocumentService" && !ownMethods.has(name);

/** Forwards the calls that only the leader can answer to the host that leads. */
export class ForwardedCalls {
  private connection: { address: string; to: Connection } | undefined;

  constructor(
    private readonly leader: Leader,
    private readonly tls: PeerTls,
  ) {}

  /** Returns a service whose calls go to the leader, unless this host leads. */
  bind({ service, methods }: BoundService): BoundService {
    const bound = Object.entries(methods).map(([name, spec]) => [
      name,
      isOfLeader(spec.method) || mayReadOpened(spec.method) ? this.forwarding(spec) : spec,
    ]);
    return { service, methods: Object.fromEntries(bound) as BoundService["methods"] };
  }

  /** Leaves out an interceptor of calls that are forwarded: the leader has it too. */
  unlessForwarded(interceptor: Interceptor): Interceptor {
    return (next) => {
      const intercepted = interceptor(next);
      return (request) =>
        isOfLeader(request.method) && this.answererOf(request.contextValues, request.header)
          ? next(request)
          : intercepted(request);
    };
  }

  close(): void {
    this.connection?.to.close();
  }

  private answererOf(values: ContextValues, header: Headers): Member | undefined {
    let decided = values.get(answering);
    if (decided === undefined) {
      decided = targetOf(this.leader, header.get(forwardedBy)) ?? null;
      values.set(answering, decided);
    }
    return decided ?? undefined;
  }

  private forwarding(spec: MethodImplSpec): MethodImplSpec {
    const to = ({ values, requestHeader }: HandlerContext) =>
      this.answererOf(values, requestHeader);
    switch (spec.kind) {
      case "unary": {
        const { impl, method } = spec;
        return {
          ...spec,
          impl: async (request: Message, context: HandlerContext) => {
            const member = isOfLeader(method) || readsOpened(request) ? to(context) : undefined;
            if (!member) return impl(request, context);
            if (method.output.typeName !== HostSchema.typeName)
              return this.unary(member, spec, request, context);
            const own = create(HostSchema, await impl(request, context));
            const answer = this.unary(member, spec, request, context);
            return withLeader(own, await answer.catch((error: unknown) => HostError.from(error)));
          },
        };
      }
      case "client_streaming": {
        const { impl } = spec;
        return {
          ...spec,
          impl: async (requests: AsyncIterable<Message>, context: HandlerContext) => {
            const member = to(context);
            if (!member) return impl(requests, context);
            return onlyMessage(this.stream(member, spec, requests, context));
          },
        };
      }
      case "server_streaming": {
        const { impl } = spec;
        return {
          ...spec,
          impl: (request: Message, context: HandlerContext) => {
            const member = to(context);
            return member
              ? this.stream(member, spec, one(request), context)
              : impl(request, context);
          },
        };
      }
      case "bidi_streaming":
        // There is none.
        return spec;
    }
  }

  private async unary(
    member: Member,
    { method }: MethodImplSpec,
    request: Message,
    context: HandlerContext,
  ): Promise<Message> {
    const watched = watchRequest(this.leader, member, context.signal);
    try {
      const { message } = await this.transportTo(member).unary(
        method as Parameters<Connection["transport"]["unary"]>[0],
        watched.signal,
        context.timeoutMs(),
        this.headerOf(context),
        request,
      );
      return message;
    } catch (thrown) {
      throw watched.errorOf(hostErrorOfCall(thrown) ?? thrown, isRead(method));
    } finally {
      watched.end();
    }
  }

  private async *stream(
    member: Member,
    { method }: MethodImplSpec,
    requests: AsyncIterable<Message>,
    context: HandlerContext,
  ): AsyncGenerator<Message> {
    const watched = watchRequest(this.leader, member, context.signal);
    try {
      const { message } = await this.transportTo(member).stream(
        method as Parameters<Connection["transport"]["stream"]>[0],
        watched.signal,
        context.timeoutMs(),
        this.headerOf(context),
        requests,
      );
      yield* message;
    } catch (thrown) {
      throw watched.errorOf(hostErrorOfCall(thrown) ?? thrown, isRead(method));
    } finally {
      watched.end();
    }
  }

  private headerOf({ requestHeader }: HandlerContext): Headers {
    const header = new Headers({ [forwardedBy]: this.leader.hostId });
    // The leader authorizes the caller too.
    const authorization = requestHeader.get("authorization");
    if (authorization !== null) header.set("authorization", authorization);
    return header;
  }

  private transportTo({ addresses: { grpc, tls } }: Member): Connection["transport"] {
    const address = `${tls ? "https" : "http"}://${grpc}`;
    if (this.connection?.address !== address) {
      this.connection?.to.close();
      const to = connectToHost({ address: parseAddress(address, tls), ...this.tls });
      this.connection = { address, to };
    }
    return this.connection.to.transport;
  }
}

/** Whether a method changes nothing, so that it may be repeated. */
const isRead = ({ name }: MethodImplSpec["method"]) =>
  /^(Get|List|Describe|Diff|Export|Watch|Wait|Preview|Read|Query)/.test(name);

/** The description of a host with what the leader knows of the backups. */
function withLeader(own: Host, leader: Message | HostError): Host {
  if (leader instanceof HostError)
    return { ...own, backupsHealthy: false, backupProblem: leader.message };
  const of = leader as Host;
  return {
    ...own,
    backupRoots: of.backupRoots,
    autoBackupDestination: of.autoBackupDestination,
    backups: of.backups,
    openedIndexes: of.openedIndexes,
    backupsHealthy: of.backupsHealthy,
    backupProblem: of.backupProblem,
    backupMaxAgeMicros: of.backupMaxAgeMicros,
    signingKey: of.signingKey,
    signingKeyFingerprint: of.signingKeyFingerprint,
    trustsSignersOnly: of.trustsSignersOnly,
    ...(of.autoBackup && { autoBackup: of.autoBackup }),
  };
}
