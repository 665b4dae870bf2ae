import { signal } from "@preact/signals";

/** Rises when this page has changed something that the description of the host names. */
export const hostChanges = signal(0);

/** Asks for the description of the host at once, and not only when its time has come. */
export function refreshHost(): void {
  hostChanges.value += 1;
}
