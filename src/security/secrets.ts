/** Request parameters of this host whose values say what was asked for. All other values may be secrets, or URIs that hold one. */
const shownParameter =
  /^(\$\w+|expand|documentSelfLink|documentVersion|factory_?link|page_?size|skip|recursive|offset|limit|name)$/i;

/** A URI as it may be shown and stored: scheme, host and path. Any part of a query, of a path parameter or of the user may be a secret. */
export function withoutSecrets(uri: string): string {
  return withoutUser(uri.replace(/[?#].*$/s, "")).replace(/;[^/]*/g, "");
}

const wellFormed =
  /^([a-z][a-z0-9+.-]*:\/\/)([^/\s]*@)?(?=(\[[^\]/@\s]*\]|[^/@\s:]*)(:\d*)?(\/|$))/i;
const path = /^(\/(?!\/)|file:|[^:@/]+\/|[^:/]*$)/i;

/** Of what is no well-formed URI nobody knows where a user ends: everything up to the last @ goes. */
function withoutUser(uri: string): string {
  if (wellFormed.test(uri)) return uri.replace(wellFormed, "$1");
  return path.test(uri) ? uri : uri.replace(/^(\s*[a-z][a-z0-9+.-]*\s*:)?.*@/is, "$1//");
}

/** The query of a request to this host, without its question mark, as it may be logged: other values than of known parameters are left out. */
export function shownQuery(query: string): string {
  return query.replace(/([^=&]*)=[^&]*/g, (whole, name: string) =>
    shownParameter.test(name) ? whole : `${name}=...`,
  );
}
