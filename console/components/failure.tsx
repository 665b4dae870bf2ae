import type { ApiError } from "../api/request.js";
import { NeedsRole } from "./needs-role.js";
import { Notice } from "./notice.js";

/** Why something cannot be shown. */
export function Failure({ error, role }: { error: ApiError; role: string }) {
  if (error.reason === "ROLE_MISSING") return <NeedsRole role={role} />;
  return <Notice kind="bad">{error.message}</Notice>;
}
