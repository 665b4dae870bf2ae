import { createHash } from "node:crypto";
import { checkExposure } from "./exposure.js";
import { hostNames } from "./hosts.js";
import { authorize } from "./authorize.js";
import type { Role } from "./roles.js";
import { openTokens } from "./tokens.js";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe("tokens", () => {
  const table = openTokens(
    `# who may what\nreader read # a comment\n${sha256("writer")} write,backup\r\n\nboss admin\n`,
  );
  const allowed = (token: string | undefined, role: Role) => {
    try {
      authorize(table, token, role);
      return "yes";
    } catch (error) {
      return (error as { reason: string }).reason;
    }
  };

  test("grant their roles and implied roles only", () => {
    expect(allowed("reader", "read")).toBe("yes");
    expect(allowed("reader", "write")).toBe("ROLE_MISSING");
    expect(allowed("writer", "read")).toBe("yes");
    expect(allowed("writer", "backup")).toBe("yes");
    expect(allowed("writer", "restore")).toBe("ROLE_MISSING");
    expect(allowed("boss", "restore")).toBe("yes");
  });

  test("are required and must be known; a digest is not a token", () => {
    expect(allowed(undefined, "read")).toBe("TOKEN_MISSING");
    expect(allowed("missing", "read")).toBe("TOKEN_UNKNOWN");
    expect(allowed("", "read")).toBe("TOKEN_UNKNOWN");
    expect(allowed(sha256("writer"), "read")).toBe("TOKEN_UNKNOWN");
  });

  test("expire, can be required to have several roles, and can be replaced", () => {
    let now = Date.parse("2027-01-01T00:00:00Z");
    const tokens = openTokens(
      "old backup,read expires=2027-01-31T00:00:00Z name=nightly\nhalf backup",
      () => now,
    );
    const verdict = (token: string) => {
      try {
        authorize(tokens, token, { all: ["backup", "read"] });
        return "yes";
      } catch (error) {
        return (error as { reason: string }).reason;
      }
    };
    expect(verdict("old")).toBe("yes");
    expect(verdict("half")).toBe("ROLE_MISSING");
    expect(tokens.find("old")?.name).toBe("nightly");
    expect(tokens.find("half")?.name).toBe("token 2");
    now = Date.parse("2027-01-31T00:00:00Z");
    expect(verdict("old")).toBe("TOKEN_EXPIRED");
    expect(() => tokens.replace("new everything")).toThrow();
    expect(verdict("half")).toBe("ROLE_MISSING");
    tokens.replace("half backup,write");
    expect(verdict("half")).toBe("yes");
    expect(verdict("old")).toBe("TOKEN_UNKNOWN");
  });

  test("are not required without a table", () => {
    expect(() => authorize(undefined, undefined, "admin")).not.toThrow();
  });

  test.each([
    ["secret", /Line 1/],
    ["ok read\nsecret everything", /Line 2.*unknown role "everything"/],
    ["secret read write", /Line 1/],
    ["secret read expires=soon", /Line 1.*expires=TIME/],
    ["a read name=x\nb read name=x", /Line 2.*duplicate name x/],
    ["secret read index=orders", /Line 1.*index=LINK/],
    [
      "secret read,admin index=/core/orders",
      /Line 1.*index= cannot be combined with the role admin/,
    ],
    ["secret files index=/core/orders", /Line 1.*role files/],
    ["secret read name=a/b", /Line 1.*name=NAME/],
    ["a read\na write", /Line 2.*duplicate token/],
    ["# nothing\n", /no token/],
  ])("rejects the file %j with the line number, without the token", (text, message) => {
    expect(() => openTokens(text)).toThrow(message);
    expect(() => openTokens(text)).not.toThrow(/secret/);
  });
});

describe("host names", () => {
  const names = hostNames("127.0.0.1", ["Backups.Example.org"]);

  test.each([
    "localhost",
    "LOCALHOST:8000",
    "127.0.0.1:8000",
    "127.8.9.1",
    "[::1]:8000",
    "[::1]",
    "backups.example.org",
    "backups.example.org.:80",
  ])("accepts %s", (header) => {
    expect(names.allows(header)).toBe(true);
  });

  test.each([
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "",
    "localhost:x",
    "a@localhost",
    "localhost/",
    "::1:80",
  ])("rejects %j", (header) => {
    expect(names.allows(header)).toBe(false);
  });

  test("accepts any address but no other name if bound to all addresses", () => {
    const any = hostNames("0.0.0.0");
    expect(any.allows("192.0.2.7:8000")).toBe(true);
    expect(any.allows("[2001:db8::1]:8000")).toBe(true);
    expect(any.allows("evil.example")).toBe(false);
  });
});

describe("exposure", () => {
  const safe = { httpHost: "127.0.0.1", grpcHost: "::1", authenticated: false, backupRoots: [] };

  test("allows loopback without restrictions; other addresses require tokens and a backup root", () => {
    expect(() => checkExposure(safe)).not.toThrow();
    expect(() => checkExposure({ ...safe, httpHost: "0.0.0.0" })).toThrow(
      /0\.0\.0\.0.*--token-file.*--backup-root/,
    );
    expect(() => checkExposure({ ...safe, grpcHost: "::", authenticated: true })).toThrow(
      /--backup-root/,
    );
    expect(() => checkExposure({ ...safe, grpcHost: "::", backupRoots: ["/b"] })).toThrow(
      /--token-file/,
    );
    expect(() =>
      checkExposure({ ...safe, httpHost: "192.0.2.1", authenticated: true, backupRoots: ["/b"] }),
    ).not.toThrow();
  });
});
