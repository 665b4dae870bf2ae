import { HostError } from "../../errors.js";

/** Options of S3 destinations. */
export interface S3Options {
  /** Server of s3: URIs: `https://HOST[:PORT]`. Default: AWS, or the endpoint in the environment or the profile. */
  endpoint?: string;
  /** Default: that of the environment or the profile; us-east-1 with an endpoint. */
  region?: string;
  /** Where a request names the bucket: in its path, or in the host name. Default: path with an endpoint. */
  addressing?: "path" | "virtual";
}

/** The text of each setting; "" and undefined: not set. */
export type S3Settings = Partial<Record<keyof S3Options, string | undefined>>;

/**
 * Reads the options from settings. Returns undefined if none is set.
 * Throws CONFIGURATION_INVALID.
 */
export function readS3Options(settings: S3Settings): S3Options | undefined {
  const endpoint = settings.endpoint || undefined;
  const region = settings.region || undefined;
  const addressing = settings.addressing || undefined;
  if (endpoint === undefined && region === undefined && addressing === undefined) return undefined;
  if (addressing !== undefined && addressing !== "path" && addressing !== "virtual") {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `s3-addressing must be path or virtual, not ${JSON.stringify(addressing)}.`,
    );
  }
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(addressing !== undefined && { addressing }),
  };
}
