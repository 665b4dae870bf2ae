import type { Restored } from "../api/restore.js";
import { count, counted, duration } from "../text/format.js";
import { Notice } from "./notice.js";

/** What a restore did, or would do. */
export function RestoreOutcome({
  restored: { isTrial, result, tookMicros },
}: {
  restored: Restored;
}) {
  if (!result)
    return (
      <Notice kind="good">
        The backups there do not reach this time; the one that is made first will. Nothing was
        changed.
      </Notice>
    );
  const { selection, plan, documents } = result;
  if (selection) {
    const { created, replaced, unchanged, kept } = selection;
    return (
      <Notice kind="good">
        {isTrial ? "It would work: " : `Restored in ${duration(tookMicros)}: `}
        {count(created)} documents {isTrial ? "would come" : "came"} back, {count(replaced)}{" "}
        {isTrial ? "would change" : "changed"} back, {count(unchanged)} are as they were;{" "}
        {count(kept)} newer ones stay.{isTrial && " Nothing was changed."}
      </Notice>
    );
  }
  if (!isTrial)
    return (
      <Notice kind="good">
        Restored in {duration(tookMicros)}: {counted(Number(documents ?? 0), "document")}. It can be
        undone above.
      </Notice>
    );
  return (
    <Notice kind="good">
      It would work
      {plan?.discardedVersions &&
        `, and ${counted(Number(plan.discardedVersions), "change")} would be discarded`}
      . Nothing was changed.
    </Notice>
  );
}
