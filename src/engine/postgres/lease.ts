import { HostError } from "../../errors.js";
import type { Tables } from "./tables.js";

/**
 * A condition for changes of the leader, whose first values are its lease: the lock keeps another host from taking the
 * lease until the change is committed, and beats from nothing.
 */
export const leads = ({ lease }: Tables) =>
  `set_config('synchronous_commit', 'on', true) IS NOT NULL
   AND EXISTS (SELECT 1 FROM ${lease} WHERE name = 'leader' AND term = $1 AND run = $2 FOR KEY SHARE)`;

/** The error of what only the leader does. */
export const notLeader = () =>
  new HostError(
    "LEADER_UNAVAILABLE",
    "This host does not lead the hosts of its database at present. Nothing was changed. Try again.",
    { metadata: { retryAfterSeconds: "1" } },
  );
