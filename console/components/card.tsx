import type { ComponentChildren } from "preact";

/** A question, its answer, and what is to be known of it. */
export function Card({
  title,
  value,
  kind,
  children,
}: {
  title: string;
  value: string;
  kind?: "good" | "warn" | "bad";
  children?: ComponentChildren;
}) {
  return (
    <section class="card">
      <h2>{title}</h2>
      <p class={`value ${kind ?? ""}`}>{value}</p>
      {children && <div class="detail">{children}</div>}
    </section>
  );
}
