/** Parameters of presigned URLs and the like. What stands in them opens the door, so it is not shown. */
const secretName = /sig$|signature|token|bearer|secret|passw|credential|authorization|api[-_]?key/i;

/** A URI, the target of a request, or its query behind a question mark, as it may be shown: without a password too. */
export function withoutSecrets(target: string): string {
  return target
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, "$1")
    .replace(/([?&][^=&]*)=[^&]*/g, (whole, name: string) => (secretName.test(name) ? `${name}=...` : whole));
}
