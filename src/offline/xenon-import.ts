import { sqliteKit } from "../engine/sqlite/kit.js";
import { systemSeams } from "../io/seams.js";
import { documentHost } from "../xenon/import/document-host.js";
import {
  importFromXenon,
  type ImportProgress,
  type ImportReport,
  type ImportRequest,
} from "../xenon/import/import-from-xenon.js";
import { productVersion } from "../host/product-version.js";

export type { ImportProgress, ImportReport } from "../xenon/import/import-from-xenon.js";

export interface XenonImportOptions extends Omit<ImportRequest, "from" | "to" | "productVersion"> {
  /** Addresses of hosts, for example http://127.0.0.1:8000. */
  from: string;
  to: string;
  /** For the target. */
  token?: string;
}

/** Copies documents of a live Xenon into a host, and compares; CONFIGURATION_INVALID for addresses that are none. */
export function importXenon(
  { from, to, token, ...request }: XenonImportOptions,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<ImportReport> {
  const seams = systemSeams;
  const hosts = {
    from: documentHost(from, { seams, role: "The Xenon host" }),
    to: documentHost(to, { seams, role: "The host", ...(token !== undefined && { token }) }),
  };
  return importFromXenon(
    seams,
    sqliteKit,
    { ...request, ...hosts, productVersion },
    signal,
    report,
  );
}
