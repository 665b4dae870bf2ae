import type { ComponentChildren } from "preact";

/** A message that concerns the whole screen. */
export function Notice({
  kind,
  children,
}: {
  kind: "good" | "warn" | "bad";
  children: ComponentChildren;
}) {
  return (
    <p class={`notice ${kind}`} role={kind === "bad" ? "alert" : "status"}>
      {children}
    </p>
  );
}
