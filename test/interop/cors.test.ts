import { type HostError } from "../../src/errors.js";
import { checkOrigins } from "../../src/security/origins.js";
import { hostFixture } from "../support/host-fixture.js";

const origin = "https://console.example";
const preflight = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "content-type,connect-protocol-version",
};
const connectPath = "/holdfast.management.v1.ManagementService/GetHost";

/** The CORS headers of a response, and Vary. */
const corsOf = ({ headers }: Response) =>
  Object.fromEntries(
    [...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"),
  );

async function urlOf(corsOrigins: string[], tokens?: string): Promise<string> {
  const { host } = await hostFixture({ corsOrigins, ...(tokens !== undefined && { tokens }) });
  return `http://127.0.0.1:${host.httpAddress.port}`;
}
const ask = (url: string, init: RequestInit & { headers: Record<string, string> }) =>
  fetch(url, init);
const json = { "content-type": "application/json" };

test("sends no CORS headers by default and refuses preflights", async () => {
  const url = await urlOf([]);
  for (const path of ["/v1/host", connectPath, "/core/examples"]) {
    const asked = await ask(`${url}${path}`, {
      method: "OPTIONS",
      headers: { origin, ...preflight },
    });
    expect(asked.ok).toBe(false);
    expect(corsOf(asked)).toEqual({});
    expect(corsOf(await ask(`${url}${path}`, { headers: { origin } }))).toEqual({});
  }
});

test.each(["/v1/host", connectPath])("allows a page of the origin to call %s", async (path) => {
  const url = await urlOf([origin, "http://localhost:3000"]);
  const asked = await ask(`${url}${path}`, {
    method: "OPTIONS",
    headers: { origin, ...preflight },
  });
  expect(asked.status).toBe(204);
  const {
    "access-control-allow-headers": headers = "",
    "access-control-allow-methods": methods = "",
    ...rest
  } = corsOf(asked);
  expect(rest).toEqual({
    "access-control-allow-origin": origin,
    "access-control-max-age": "7200",
    vary: "Origin",
  });
  for (const name of [
    "content-type",
    "connect-protocol-version",
    "connect-timeout-ms",
    "grpc-timeout",
    "x-grpc-web",
    "authorization",
    "if-match",
  ])
    expect(headers.toLowerCase()).toContain(name);
  for (const name of ["GET", "POST", "PUT", "PATCH", "DELETE"]) expect(methods).toContain(name);

  const answer = await ask(
    `${url}${path}`,
    path === connectPath
      ? { method: "POST", headers: { origin, ...json }, body: "{}" }
      : { headers: { origin } },
  );
  expect(answer.status).toBe(200);
  const { "access-control-expose-headers": exposed = "", ...others } = corsOf(answer);
  expect(others).toEqual({ "access-control-allow-origin": origin, vary: "Origin" });
  for (const name of ["grpc-status", "grpc-message", "grpc-status-details-bin", "etag"])
    expect(exposed.toLowerCase()).toContain(name);
});

test("allows a page to read errors", async () => {
  const url = await urlOf([origin], "t read");
  const refused = await ask(`${url}/v1/host`, { headers: { origin } });
  expect(refused.status).toBe(401);
  expect(corsOf(refused)["access-control-allow-origin"]).toBe(origin);
  const missing = await ask(`${url}/holdfast.management.v1.ManagementService/Nothing`, {
    method: "POST",
    headers: { origin, ...json },
    body: "{}",
  });
  expect(missing.status).toBe(404);
  expect(corsOf(missing)["access-control-allow-origin"]).toBe(origin);
});

test("sends no CORS headers to a page of another origin, nor for the Xenon dialect", async () => {
  const url = await urlOf([origin]);
  const asked = await ask(`${url}/v1/host`, {
    method: "OPTIONS",
    headers: { origin: "https://evil.example", ...preflight },
  });
  expect(corsOf(asked)).toEqual({ vary: "Origin" });
  for (const [path, from] of [
    ["/v1/host", "https://console.example.evil.example"],
    ["/core/examples", origin],
  ] as const) {
    const answer = await ask(`${url}${path}`, { headers: { origin: from } });
    expect({ path, status: answer.status, cors: corsOf(answer) }).toEqual({
      path,
      status: 403,
      cors: {},
    });
  }
});

test("allows all origins for a host with tokens", async () => {
  const url = await urlOf(["*"], "t read");
  const answer = await ask(`${url}/v1/host`, {
    headers: { origin: "https://any.example", authorization: "Bearer t" },
  });
  expect(answer.status).toBe(200);
  expect(corsOf(answer)["access-control-allow-origin"]).toBe("*");
});

test.each([
  ["*", "--token-file"],
  ["console.example", "Invalid origin"],
  ["https://console.example/", "Invalid origin"],
  ["https://console.example/page", "Invalid origin"],
  ["https://Console.example", "Invalid origin"],
  ["null", "Invalid origin"],
])("rejects %s without tokens", (text, problem) => {
  expect(() => checkOrigins([text], false)).toThrow(
    expect.objectContaining({
      reason: "CONFIGURATION_INVALID",
      message: expect.stringContaining(problem),
    }) as HostError,
  );
});
