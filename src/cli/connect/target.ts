import { readFileSync } from "node:fs";
import { HostError } from "../../errors.js";
import type { ConnectionOptions } from "../../client/connect-to-host.js";
import { parseAddress } from "../../client/host-address.js";
import type { HostFlags } from "../flags.js";
import { defaultProfilesPath, readProfiles, type Profile } from "./profiles.js";

/** The host of a command and how to connect to it. */
export interface Target extends ConnectionOptions {
  /** Messages for the user, for example about a token sent without TLS. */
  warnings: string[];
}

const defaultAddress = "127.0.0.1:8001";

/**
 * Resolves the host of a command. Options take precedence over the environment, which takes
 * precedence over the profile. The default profile applies only if no address is given, so that its
 * token is never sent to another host. Throws CONFIGURATION_INVALID or REQUEST_INVALID.
 */
export async function findTarget(
  flags: HostFlags,
  environment: NodeJS.ProcessEnv,
): Promise<Target> {
  const variable = (name: string) => environment[name] || undefined;
  const explicitName = flags.profile ?? variable("HOLDFAST_PROFILE");
  const address = flags.address ?? variable("HOLDFAST_ADDRESS");
  const warnings: string[] = [];
  let profile: Profile = {};
  const profilesPath = flags.profiles ?? variable("HOLDFAST_PROFILES");
  if (explicitName !== undefined || address === undefined) {
    const file = await readProfiles(
      profilesPath ?? defaultProfilesPath(environment),
      profilesPath !== undefined || explicitName !== undefined,
    );
    const name = explicitName ?? file?.default;
    if (file && name !== undefined) {
      const found = file.profiles.get(name);
      if (!found)
        throw new HostError(
          "CONFIGURATION_INVALID",
          `Profile ${name} is not defined in ${file.path}. Defined profiles: ${[...file.profiles.keys()].join(", ") || "none"}.`,
        );
      profile = found;
      warnings.push(...file.warnings);
    }
  }
  const token = tokenOf(flags, variable("HOLDFAST_TOKEN"), profile);
  const certificates = readCertificates({ ...profile, ...defined(flags) });
  const hasCertificates = Object.keys(certificates).length > 0;
  const target = parseAddress(
    address ?? profile.address ?? defaultAddress,
    flags.tls ?? profile.tls ?? hasCertificates,
  );
  if (token !== undefined && !target.tls && !/^(127\.|::1$|localhost$)/.test(target.host))
    warnings.push(
      "The token is sent without TLS and can be intercepted. Use --tls or an https:// address.",
    );
  return { address: target, warnings, ...(token !== undefined && { token }), ...certificates };
}

type CertificateFlags = Pick<HostFlags, "caFile" | "clientCert" | "clientKey">;

function defined({ caFile, clientCert, clientKey }: CertificateFlags): CertificateFlags {
  return Object.fromEntries(
    Object.entries({ caFile, clientCert, clientKey }).filter(([, value]) => value !== undefined),
  );
}

/**
 * Reads the certificates for connections, in PEM. Throws CONFIGURATION_INVALID for a file that cannot be
 * read, and REQUEST_INVALID for a certificate without its key.
 */
export function readCertificates(files: CertificateFlags): {
  ca?: string;
  certificate?: string;
  key?: string;
} {
  const ca = readText("--ca-file", files.caFile);
  const certificate = readText("--client-cert", files.clientCert);
  const key = readText("--client-key", files.clientKey);
  if ((certificate === undefined) !== (key === undefined))
    throw new HostError(
      "REQUEST_INVALID",
      "A client certificate requires its private key: set both --client-cert FILE and --client-key FILE.",
    );
  return {
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  };
}

/**
 * Returns the token of the options, otherwise of the environment, otherwise of the profile;
 * undefined if none is set.
 */
export function tokenOf(
  flags: HostFlags,
  fromEnvironment: string | undefined,
  profile: Profile,
): string | undefined {
  if (flags.token !== undefined && flags.tokenFile !== undefined)
    throw new HostError("REQUEST_INVALID", "--token and --token-file are mutually exclusive.");
  const token =
    flags.token ??
    (flags.tokenFile !== undefined
      ? readText("--token-file", flags.tokenFile)?.trim()
      : undefined) ??
    fromEnvironment ??
    profile.token ??
    readText("token-file in the profile", profile.tokenFile)?.trim();
  if (token !== undefined && !/^[!-~]+$/.test(token))
    throw new HostError(
      "REQUEST_INVALID",
      "Invalid token: it is empty or contains spaces or unprintable characters. A token file for a client contains only the token, without roles.",
    );
  return token;
}

/** The text of a file that an option names. Throws CONFIGURATION_INVALID. */
export function readText(option: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Cannot read ${path} (${option}). Check the path and its permissions.`,
      { cause },
    );
  }
}
