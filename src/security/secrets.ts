/** Parameters of presigned URLs and the like. What stands in them opens the door, so it is not shown. */
const secretName = /sig$|signature|token|secret|passw|credential|authorization|api[-_]?key/i;

/** A target of a request, or its query behind a question mark, as it may be shown. */
export function withoutSecrets(target: string): string {
  return target.replace(/([?&][^=&]*)=[^&]*/g, (whole, name: string) => (secretName.test(name) ? `${name}=...` : whole));
}
