import { HostError } from "../../errors.js";
import { createHostClients, type HostClients } from "../../client/clients.js";
import { hostErrorOfCall } from "../../client/host-error.js";
import type { HostFlags } from "../flags.js";
import type { CommandContext } from "../command-context.js";
import { isHostSelected } from "./host-selection.js";
import { stateDirectory } from "./state-directory.js";
import { findTarget, readCertificates, readText } from "./target.js";

/**
 * The services that a command calls, on a host or in this process. Valid until the command ends.
 */
export interface Session extends HostClients {
  /** True if the services run in this process, so that operations end with it. */
  offline: boolean;
  /** Converts the error of a failed call to a HostError; explains why a host is unreachable. */
  explain(thrown: unknown): Promise<HostError>;
}

type Work<T> = (session: Session) => Promise<T>;

/**
 * Awaits a call whose result is only shown before a prompt. With --yes there is no prompt, so that
 * it returns undefined if the token lacks the permission.
 */
export function undefinedIfForbidden<T>(
  session: Session,
  yes: boolean | undefined,
  call: Promise<T>,
): Promise<T | undefined> {
  return undefinedIf(session, call, ({ code }) => yes === true && code === "PERMISSION_DENIED");
}

/**
 * Awaits a call and returns undefined if it fails with an error that `isExpected` accepts; throws
 * other errors.
 */
export async function undefinedIf<T>(
  session: Pick<Session, "explain">,
  call: Promise<T>,
  isExpected: (error: HostError) => boolean,
): Promise<T | undefined> {
  try {
    return await call;
  } catch (thrown) {
    const error = await session.explain(thrown);
    if (isExpected(error)) return undefined;
    throw error;
  }
}

/** Returns whether a call failed because the token is limited to other indexes. */
export const isIndexNotAllowed = ({ reason }: HostError) => reason === "INDEX_NOT_ALLOWED";

/** Runs `work` with a connection to the host that the options select (default: 127.0.0.1:8001). */
export async function withHost<T>(
  context: CommandContext,
  flags: HostFlags,
  work: Work<T>,
): Promise<T> {
  if (flags.trustedSigners !== undefined) {
    throw new HostError(
      "REQUEST_INVALID",
      "--trusted-signers is for reading backups without a host. A host checks signatures by its own setting. Add --offline to read without the host.",
    );
  }
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

/**
 * Runs `work` without a host, on local files and on destinations that are reached from here. A restore writes to `dataDirectory`.
 */
export async function withFiles<T>(
  context: CommandContext,
  flags: HostFlags,
  work: Work<T>,
  dataDirectory?: string,
): Promise<T> {
  const { openOffline } = await import("../../offline/services.js");
  const trustedSigners = readText("--trusted-signers", flags.trustedSigners);
  const { env } = process;
  const offline = await openOffline({
    stateDirectory: stateDirectory(process.env),
    ...(dataDirectory !== undefined && { dataDirectory }),
    ...(trustedSigners !== undefined && { trustedSigners }),
    tls: readCertificates(flags),
    s3: {
      endpoint: env["HOLDFAST_S3_ENDPOINT"],
      region: env["HOLDFAST_S3_REGION"],
      addressing: env["HOLDFAST_S3_ADDRESSING"],
    },
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

/** Runs `work` with a host if one is selected, otherwise on local files. */
export async function withFilesOrHost<T>(
  context: CommandContext,
  flags: HostFlags,
  work: Work<T>,
): Promise<T> {
  return isHostSelected(flags, process.env)
    ? withHost(context, flags, work)
    : withFiles(context, flags, work);
}

/**
 * Returns the error that the host sent or that aborted the command; undefined if the connection
 * itself failed.
 */
function knownError({ abort }: CommandContext, thrown: unknown): HostError | undefined {
  if (abort.signal.aborted && !(thrown instanceof HostError))
    return HostError.from(abort.signal.reason);
  return hostErrorOfCall(thrown);
}
