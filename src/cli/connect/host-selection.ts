import { HostError } from "../../errors.js";
import type { HostFlags } from "../flags.js";

/**
 * Returns whether the options or the environment select a host, for commands that otherwise read
 * files locally. Throws REQUEST_INVALID if --offline is combined with --address or --profile.
 */
export function isHostSelected(flags: HostFlags, environment: NodeJS.ProcessEnv): boolean {
  if (flags.offline && (flags.address !== undefined || flags.profile !== undefined)) {
    throw new HostError(
      "REQUEST_INVALID",
      "--offline cannot be combined with --address or --profile.",
    );
  }
  return (
    !flags.offline &&
    [
      flags.address,
      flags.profile,
      environment["HOLDFAST_ADDRESS"],
      environment["HOLDFAST_PROFILE"],
    ].some((value) => value !== undefined && value !== "")
  );
}
