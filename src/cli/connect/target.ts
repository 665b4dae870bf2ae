import { readFileSync } from "node:fs";
import { HostError } from "../../errors.js";
import type { ConnectionOptions } from "../../client/connect-to-host.js";
import { parseAddress } from "../../client/host-address.js";
import type { HostFlags } from "../flags.js";
import { defaultProfilesPath, readProfiles, type Profile } from "./profiles.js";

export interface Target extends ConnectionOptions {
  warnings: string[];
}

const defaultAddress = "127.0.0.1:8001";

/**
 * The host to ask: options before the environment before the profile. The profile that is the file's default counts only
 * where no address is given, so that its token never goes to another host.
 */
export async function findTarget(
  flags: HostFlags,
  environment: NodeJS.ProcessEnv,
): Promise<Target> {
  const given = (name: string) => environment[name] || undefined;
  const named = flags.profile ?? given("HOLDFAST_PROFILE");
  const address = flags.address ?? given("HOLDFAST_ADDRESS");
  const warnings: string[] = [];
  let profile: Profile = {};
  const profilesPath = flags.profiles ?? given("HOLDFAST_PROFILES");
  if (named !== undefined || address === undefined) {
    const file = await readProfiles(
      profilesPath ?? defaultProfilesPath(environment),
      profilesPath !== undefined || named !== undefined,
    );
    const name = named ?? file?.default;
    if (file && name !== undefined) {
      const found = file.profiles.get(name);
      if (!found)
        throw new HostError(
          "CONFIGURATION_INVALID",
          `No profile ${name} is in ${file.path}; there are: ${[...file.profiles.keys()].join(", ") || "none"}.`,
        );
      profile = found;
      warnings.push(...file.warnings);
    }
  }
  const token = tokenOf(flags, given("HOLDFAST_TOKEN"), profile);
  const ca = readText("--ca-file", flags.caFile ?? profile.caFile);
  const certificate = readText("--client-cert", flags.clientCert ?? profile.clientCert);
  const key = readText("--client-key", flags.clientKey ?? profile.clientKey);
  if ((certificate === undefined) !== (key === undefined))
    throw new HostError(
      "REQUEST_INVALID",
      "A certificate and its key belong together: --client-cert FILE --client-key FILE.",
    );
  const target = parseAddress(
    address ?? profile.address ?? defaultAddress,
    flags.tls ?? profile.tls ?? (ca !== undefined || certificate !== undefined),
  );
  if (token !== undefined && !target.tls && !/^(127\.|::1$|localhost$)/.test(target.host))
    warnings.push("The token travels without TLS: others on the way can read it.");
  return {
    address: target,
    warnings,
    ...(token !== undefined && { token }),
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  };
}

/** The token of the options, else of the environment, else of the profile. */
export function tokenOf(
  flags: HostFlags,
  fromEnvironment: string | undefined,
  profile: Profile,
): string | undefined {
  if (flags.token !== undefined && flags.tokenFile !== undefined)
    throw new HostError("REQUEST_INVALID", "Give --token or --token-file, not both.");
  const token =
    flags.token ??
    (flags.tokenFile !== undefined
      ? readText("--token-file", flags.tokenFile)?.trim()
      : undefined) ??
    fromEnvironment ??
    profile.token ??
    readText("token-file of the profile", profile.tokenFile)?.trim();
  if (token !== undefined && !/^[!-~]+$/.test(token))
    throw new HostError(
      "REQUEST_INVALID",
      "The token is empty, or has blanks or characters that no token has. A token file holds the token alone, without its roles.",
    );
  return token;
}

function readText(what: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new HostError("CONFIGURATION_INVALID", `The file of ${what}, ${path}, cannot be read.`, {
      cause,
    });
  }
}
