// What threads that only compute do to writers, at the priority of those that copy for a backup: the part of a backup that
// is no reading and no writing. Argument: how long, in milliseconds.
import { createHash } from "node:crypto";
import { constants, setPriority } from "node:os";

setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const bytes = Buffer.alloc(64 * 1024 * 1024);
const end = performance.now() + Number(process.argv[2]);
while (performance.now() < end) createHash("sha256").update(bytes).digest();
