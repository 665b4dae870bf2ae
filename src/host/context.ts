import type { HostLogger, ResolvedOptions } from "./options.js";
import type { TokenStore } from "../security/tokens.js";
import type { DataDirectory } from "./data-directory.js";
import type { HostEvents } from "./events.js";
import type { Lifecycle } from "./lifecycle.js";

/** What every stage of a host's start works with. */
export interface HostContext {
  readonly options: ResolvedOptions;
  readonly directory: DataDirectory;
  readonly hostId: string;
  readonly startTimeMicros: number;
  /** Undefined: the host requires no tokens. */
  readonly tokens: TokenStore | undefined;
  readonly events: HostEvents;
  readonly lifecycle: Lifecycle;
  readonly logger: HostLogger;
  /** Logs an error that no caller receives. */
  onInternalError(error: unknown): void;
}
