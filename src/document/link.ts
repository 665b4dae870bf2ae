import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * Returns the self link of a new document: a given name or path is placed below the factory unless
 * it is already; otherwise an ID is generated. Throws LINK_INVALID.
 */
export function createLink(
  factoryPath: string,
  given: string | undefined,
  newId: () => string,
): string {
  if (given === undefined || given === "") return `${factoryPath}/${newId()}`;
  const prefix = `${factoryPath}/`;
  const link = given.startsWith(prefix)
    ? given
    : given.startsWith("/")
      ? factoryPath + given
      : prefix + given;
  checkLink(link);
  return link;
}

// Control characters, and characters that end the path of a URI. A link must survive the round trip
// through a request line.
const forbidden = /[\u0000-\u001f\u007f-\u009f?#\\]|\p{Surrogate}/u;
const ordinary = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$/;

/**
 * Throws LINK_INVALID unless the text is a self link: an absolute path of at most
 * limits.selfLinkBytes.
 */
export function checkLink(link: string): void {
  if (link.length <= limits.selfLinkBytes && ordinary.test(link)) return;
  if (Buffer.byteLength(link) > limits.selfLinkBytes) {
    throw invalid(`exceeds the limit of ${limits.selfLinkBytes} bytes`, link.slice(0, 100));
  }
  if (!link.startsWith("/")) throw invalid("must begin with /", link);
  if (forbidden.test(link))
    throw invalid("contains a control character, a lone surrogate or one of ? # \\", link);
  for (const segment of link.slice(1).split("/")) {
    if (segment === "") throw invalid("has an empty segment", link);
    if (segment === "." || segment === "..") throw invalid(`has a segment "${segment}"`, link);
  }
}

function invalid(problem: string, link: string): HostError {
  return new HostError("LINK_INVALID", `documentSelfLink ${JSON.stringify(link)} ${problem}.`);
}

/**
 * Returns the range of links with a prefix, in the order of bytes: the first of them, and the end,
 * which is excluded.
 */
export function linkPrefixRange(prefix: string): [from: string, before: string] {
  return [prefix, `${prefix}\u{10FFFF}`];
}
