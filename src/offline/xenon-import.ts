import { systemPlatform } from "../io/platform.js";
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
  /** URLs of the hosts, for example http://127.0.0.1:8000. */
  from: string;
  to: string;
  /** Token for the target host. */
  token?: string;
}

/** Copies documents of a live Xenon host to a host and compares both. Throws CONFIGURATION_INVALID for an invalid URL. */
export function importXenon(
  { from, to, token, ...request }: XenonImportOptions,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<ImportReport> {
  const platform = systemPlatform;
  const hosts = {
    from: documentHost(from, { platform, role: "The Xenon host" }),
    to: documentHost(to, { platform, role: "The host", ...(token !== undefined && { token }) }),
  };
  return importFromXenon(platform, { ...request, ...hosts, productVersion }, signal, report);
}
