import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { createCrossSiteCheck } from "./cross-site.js";

const own = "http://localhost:8000";
const json = "application/json";

/** Returns the error reason, or undefined if the request is allowed. */
function reasonFor(
  method: string,
  headers: IncomingHttpHeaders,
  { url = "/v1/host", cors = [] as string[] } = {},
): string | undefined {
  try {
    createCrossSiteCheck(cors)({
      method,
      url,
      headers: { host: "localhost:8000", ...headers },
    } as IncomingMessage);
    return undefined;
  } catch (thrown) {
    return (thrown as { reason: string }).reason;
  }
}

test.each<[string, IncomingHttpHeaders]>([
  ["a foreign origin", { origin: "https://evil.example", "content-type": json }],
  ["a page without an origin of its own", { origin: "null", "content-type": json }],
  ["another port of this machine", { origin: "http://localhost:3000", "content-type": json }],
  ["no origin, cross-site", { "sec-fetch-site": "cross-site", "content-type": json }],
  ["no origin, same site", { "sec-fetch-site": "same-site", "content-type": json }],
])("rejects every method with %s", (_, headers) => {
  for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    expect({ method, reason: reasonFor(method, headers) }).toEqual({
      method,
      reason: "CROSS_SITE_REFUSED",
    });
});

test("allows the host's own pages, also behind a TLS-terminating proxy, and direct navigation", () => {
  for (const origin of [own, "https://localhost:8000"])
    expect(
      reasonFor("POST", { origin, "sec-fetch-site": "same-origin", "content-type": json }),
    ).toBeUndefined();
  expect(reasonFor("GET", { "sec-fetch-site": "none" })).toBeUndefined();
});

test("allows pages of a configured origin to use /v1 and Connect, but not the Xenon API", () => {
  const origin = "https://console.example";
  const headers = { origin, "sec-fetch-site": "cross-site", "content-type": json };
  for (const url of ["/v1/restores:undo", "/holdfast.document.v1.DocumentService/CreateDocument"]) {
    for (const cors of [[origin], ["*"]])
      expect(reasonFor("POST", headers, { url, cors })).toBeUndefined();
  }
  expect(reasonFor("POST", headers, { url: "/core/examples", cors: [origin] })).toBe(
    "CROSS_SITE_REFUSED",
  );
  expect(
    reasonFor("POST", { ...headers, origin: "https://evil.example" }, { cors: [origin] }),
  ).toBe("CROSS_SITE_REFUSED");
});

test.each([
  "",
  "text/plain",
  "text/plain;charset=UTF-8",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  " Text/Plain",
])("rejects a POST of type %j, which needs no preflight", (type) => {
  expect(reasonFor("POST", { "content-type": type })).toBe("REQUEST_INVALID");
  expect(reasonFor("POST", { "content-type": type, "x-requested-with": "curl" })).toBeUndefined();
  expect(reasonFor("POST", { "content-type": type, authorization: "Bearer t" })).toBeUndefined();
});

test("requires no content type for other methods, which always need a preflight, and ignores OPTIONS", () => {
  for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
    expect(reasonFor(method, {})).toBeUndefined();
  expect(reasonFor("POST", {})).toBe("REQUEST_INVALID");
  expect(reasonFor("OPTIONS", { origin: "https://evil.example" })).toBeUndefined();
});
