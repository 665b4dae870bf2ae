import { Notice } from "./notice.js";

/** Says which role a screen needs. */
export function NeedsRole({ role }: { role: string }) {
  return (
    <Notice kind="warn">
      Your token does not have the role <strong>{role}</strong>, which this screen needs. Sign in
      with one that has it.
    </Notice>
  );
}
