import { HostError } from "../../errors.js";
import type { HostFlags } from "../flags.js";

/** Whether the options or the environment name a host, for commands that otherwise read files here. */
export function isHostSelected(flags: HostFlags, environment: NodeJS.ProcessEnv): boolean {
  if (flags.offline && (flags.address !== undefined || flags.profile !== undefined)) {
    throw new HostError(
      "REQUEST_INVALID",
      "--offline asks no host, --address and --profile name one: give the one or the other.",
    );
  }
  return (
    !flags.offline &&
    [
      flags.address,
      flags.profile,
      environment["HOLDFAST_ADDRESS"],
      environment["HOLDFAST_PROFILE"],
    ].some((one) => one !== undefined && one !== "")
  );
}
