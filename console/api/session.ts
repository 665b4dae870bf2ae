import { signal } from "@preact/signals";
import { roles } from "./may.js";

const key = "holdfast-token";

/** The bearer token, in memory; in the storage of this tab only if the user asked for it. */
export const token = signal<string | undefined>(sessionStorage.getItem(key) ?? undefined);

/** Whether the host refused the last request for want of a valid token. */
export const isSignedOut = signal(false);

/** Uses a token from now on, if `check` succeeds with it; otherwise rejects as `check` does. */
export async function signIn(
  given: string,
  remember: boolean,
  check: () => Promise<unknown>,
): Promise<void> {
  token.value = given;
  try {
    await check();
  } catch (error) {
    token.value = undefined;
    throw error;
  }
  isSignedOut.value = false;
  if (remember) sessionStorage.setItem(key, given);
}

export function signOut(): void {
  token.value = undefined;
  roles.value = undefined;
  sessionStorage.removeItem(key);
  isSignedOut.value = true;
}
