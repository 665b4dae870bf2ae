/**
 * Request parameters whose values may be logged. All others may be secrets or URIs with secrets.
 */
const loggedParameter =
  /^(\$\w+|expand|documentSelfLink|documentVersion|factory_?link|page_?size|skip|recursive|offset|limit|name)$/i;

/**
 * Reduces a URI to scheme, host and path for display and storage. User info, path parameters and
 * the query may contain secrets.
 */
export function withoutSecrets(uri: string): string {
  return withoutUser(uri)
    .replace(/[?#].*$/s, "")
    .replace(/;[^/]*/g, "");
}

const wellFormed =
  /^([a-z][a-z0-9+.-]*:\/\/)([^/\s]*@)?(?=(\[[^\]/@\s]*\]|[^/@\s:?#]*)(:\d*)?([/?#]|$))/i;
const path = /^(\/(?!\/)|file:|[^:@/]+\/|[^:/]*$)/i;

/** In the URL of a database, an @ after the hosts is part of a password that was not percent-encoded. */
const databaseUser = /^(postgres(?:ql)?:\/\/).*@/is;

/** Removes the user info. In a malformed URI, everything up to the last @ is removed. */
function withoutUser(uri: string): string {
  if (databaseUser.test(uri)) return uri.replace(databaseUser, "$1");
  if (wellFormed.test(uri)) return uri.replace(wellFormed, "$1");
  return path.test(uri) ? uri : uri.replace(/^(\s*[a-z][a-z0-9+.-]*\s*:)?.*@/is, "$1//");
}

/**
 * Returns the query of a request for logs, with the values of unknown parameters replaced by "...".
 */
export function queryWithoutSecrets(query: string): string {
  return query.replace(/([^=&]*)=[^&]*/g, (whole, name: string) =>
    loggedParameter.test(name) ? whole : `${name}=...`,
  );
}
