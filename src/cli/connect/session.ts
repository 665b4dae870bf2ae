import { HostError } from "../../errors.js";
import { createHostClients, type HostClients } from "../../client/clients.js";
import { hostErrorOfCall } from "../../client/host-error.js";
import type { HostFlags } from "../flags.js";
import type { CommandContext } from "../command-context.js";
import { isHostSelected } from "./host-selection.js";
import { stateDirectory } from "./state-directory.js";
import { findTarget } from "./target.js";

/** The services that a command works with, until it ends. */
export interface Session extends HostClients {
  /** Whether they are in this process: what it began ends with it. */
  offline: boolean;
  /** A failure of a call as a HostError, with what to do where the host cannot be reached. */
  explain(thrown: unknown): Promise<HostError>;
}

type Work<T> = (session: Session) => Promise<T>;

/** What is only looked at before a question; undefined where the token may not, and --yes asks none. */
export function undefinedIfForbidden<T>(
  session: Session,
  yes: boolean | undefined,
  looked: Promise<T>,
): Promise<T | undefined> {
  return undefinedIf(session, looked, ({ code }) => yes === true && code === "PERMISSION_DENIED");
}

/** What was asked for; undefined where it failed with an error that says there is none to be had. */
export async function undefinedIf<T>(
  session: Pick<Session, "explain">,
  asked: Promise<T>,
  isNone: (error: HostError) => boolean,
): Promise<T | undefined> {
  try {
    return await asked;
  } catch (thrown) {
    const error = await session.explain(thrown);
    if (isNone(error)) return undefined;
    throw error;
  }
}

/** The token is for some indexes alone, and this may be of others. */
export const isIndexNotAllowed = ({ reason }: HostError) => reason === "INDEX_NOT_ALLOWED";

/** Works with the host that the options name, by default 127.0.0.1:8001. */
export async function withHost<T>(
  context: CommandContext,
  flags: HostFlags,
  work: Work<T>,
): Promise<T> {
  const [target, { connectToHost }] = await Promise.all([
    findTarget(flags, process.env),
    import("../../client/connect-to-host.js"),
  ]);
  for (const warning of target.warnings) context.printNote(`Warning: ${warning}`);
  const connection = connectToHost(target);
  const explain = async (thrown: unknown) => {
    const known = knownError(context, thrown);
    if (known) return known;
    const { explainUnreachable } = await import("../../client/unreachable.js");
    return explainUnreachable(target.address, thrown);
  };
  const session = { ...createHostClients(connection.transport), offline: false, explain };
  try {
    return await work(session);
  } catch (thrown) {
    throw await explain(thrown);
  } finally {
    connection.close();
  }
}

/** Works on files in this process; `dataDirectory` is restored into. */
export async function withFiles<T>(
  context: CommandContext,
  work: Work<T>,
  dataDirectory?: string,
): Promise<T> {
  const { openOffline } = await import("../../offline/services.js");
  const offline = await openOffline({
    stateDirectory: stateDirectory(process.env),
    ...(dataDirectory !== undefined && { dataDirectory }),
  });
  const explain = async (thrown: unknown) => knownError(context, thrown) ?? HostError.from(thrown);
  try {
    return await work({ ...createHostClients(offline.transport), offline: true, explain });
  } catch (thrown) {
    throw await explain(thrown);
  } finally {
    await offline.close();
  }
}

/** Files here, unless a host is named. */
export async function withFilesOrHost<T>(
  context: CommandContext,
  flags: HostFlags,
  work: Work<T>,
): Promise<T> {
  return isHostSelected(flags, process.env)
    ? withHost(context, flags, work)
    : withFiles(context, work);
}

/** What was said by the host, or came from this end; undefined for what only a look at the connection explains. */
function knownError({ abort: stops }: CommandContext, thrown: unknown): HostError | undefined {
  if (stops.signal.aborted && !(thrown instanceof HostError))
    return HostError.from(stops.signal.reason);
  return hostErrorOfCall(thrown);
}
