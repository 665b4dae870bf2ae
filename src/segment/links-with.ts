/** The links that begin with a prefix, in the order of bytes: from the first on, before the second. */
export const linksWith = (prefix: string): [from: string, before: string] => [
  prefix,
  `${prefix}\u{10FFFF}`,
];
