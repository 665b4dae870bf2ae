import { controlRequests } from "./request-lists/control.js";
import { backupRequests } from "./request-lists/backups.js";
import { documentRequests } from "./request-lists/documents.js";
import { listingRequests } from "./request-lists/listings.js";
import { localFileRequests } from "./request-lists/local-files.js";
import { migrationRequests } from "./request-lists/migrations.js";
import { queryRequests } from "./request-lists/queries.js";
import { queryTaskRequests } from "./request-lists/query-tasks.js";
import { restoreRequests } from "./request-lists/restores.js";
import type { ListedRequest } from "./request.js";

/** The requests to both hosts, in this order; later ones depend on the writes of earlier ones. */
export const requests: readonly ListedRequest[] = [
  ...documentRequests,
  ...listingRequests,
  ...queryRequests,
  ...queryTaskRequests,
  ...backupRequests,
  ...localFileRequests,
  ...restoreRequests,
  ...migrationRequests,
  ...controlRequests,
];
