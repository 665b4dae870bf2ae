import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

/** A part that is there, and asks the host, only while it is open. */
export function OnDemand({
  title,
  isOpen = false,
  children,
}: {
  title: string;
  isOpen?: boolean;
  children: ComponentChildren;
}) {
  const [isShown, setShown] = useState(isOpen);
  useEffect(() => {
    if (isOpen) setShown(true);
  }, [isOpen]);
  return (
    <details open={isShown} onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>
        <h3>{title}</h3>
      </summary>
      {isShown && children}
    </details>
  );
}
