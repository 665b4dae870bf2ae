import { HostError } from "../../errors.js";
import {
  checkAddress,
  createLookup,
  parseAllowedDestination,
  type AddressPolicy,
} from "./address-policy.js";

const atHome: AddressPolicy = { allowPrivate: true, allowed: [] };
const exposed: AddressPolicy = { allowPrivate: false, allowed: [] };
const allows = (policy: AddressPolicy, address: string, name = "store", port = 80) => {
  try {
    checkAddress(policy, name, port, address);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(HostError);
    expect((error as HostError).reason).toBe("ADDRESS_NOT_ALLOWED");
    return false;
  }
};

const never = [
  "169.254.169.254",
  "169.254.0.1",
  "168.63.129.16",
  "100.100.100.200",
  "192.0.0.192",
  "224.0.0.1",
  "255.255.255.255",
  "fe80::1",
  "fe80::1%eth0",
  "febf::1",
  "fd00:ec2::254",
  "fd20:ce::254",
  "ff02::1",
  "::ffff:169.254.169.254",
  "::ffff:a9fe:a9fe",
  "64:ff9b::a9fe:a9fe",
  "2002:a9fe:a9fe::1",
  "::169.254.169.254",
  "::ffff:0:169.254.169.254",
  "64:ff9b:1::a9fe:a9fe",
  "64:ff9b:1:a9fe:a9:fe00::",
  "2001::1",
  "2001:0:4136:e378:8000:63bf:5601:5601",
];
const inside = [
  "127.0.0.1",
  "127.9.9.9",
  "0.0.0.0",
  "10.1.2.3",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "100.64.0.1",
  "198.18.0.1",
  "::1",
  "::",
  "fc00::1",
  "fd12:3456::1",
  "::ffff:127.0.0.1",
  "::ffff:10.0.0.1",
  "64:ff9b::c0a8:101",
  "2002:7f00:1::",
  "::127.0.0.1",
  "::ffff:0:127.0.0.1",
  "::ffff:0:a00:1",
];
const outside = [
  "8.8.8.8",
  "172.32.0.1",
  "169.253.1.1",
  "100.128.0.1",
  "2001:4860:4860::8888",
  "::ffff:8.8.8.8",
  "64:ff9b::808:808",
  "192.0.2.1",
  "::ffff:0:8.8.8.8",
  "2001:1::1",
];

test.each(never)("never allows %s, even if configured", (address) => {
  const named = { allowPrivate: true, allowed: [{ host: address }] };
  expect(allows(atHome, address)).toBe(false);
  expect(allows(exposed, address)).toBe(false);
  expect(allows(named, address, address)).toBe(false);
});

test.each(inside)("allows %s only for a host that is bound to loopback", (address) => {
  expect(allows(atHome, address)).toBe(true);
  expect(allows(exposed, address)).toBe(false);
});

test.each(outside)("always allows %s", (address) => {
  expect(allows(atHome, address)).toBe(true);
  expect(allows(exposed, address)).toBe(true);
});

test("allows a configured private destination by name or address, with or without a port", () => {
  const policy = {
    allowPrivate: false,
    allowed: ["Store.internal:8080", "10.0.0.5", "[fd00::5]:443", "fd00::6"].map(
      parseAllowedDestination,
    ),
  };
  expect(allows(policy, "192.168.0.9", "store.INTERNAL", 8080)).toBe(true);
  expect(allows(policy, "192.168.0.9", "store.internal", 8081)).toBe(false);
  expect(allows(policy, "192.168.0.9", "other.internal", 8080)).toBe(false);
  expect(allows(policy, "10.0.0.5", "any", 1)).toBe(true);
  expect(allows(policy, "fd00::5", "any", 443)).toBe(true);
  expect(allows(policy, "fd00::5", "any", 80)).toBe(false);
  expect(allows(policy, "fd00::6", "any", 80)).toBe(true);
  for (const bad of ["", "a:b", "a:0", "a:99999", "http://a", "a/b", "[::1"])
    expect(() => parseAllowedDestination(bad)).toThrow(/Invalid destination/);
});

const lookup = (policy: AddressPolicy, all: boolean) =>
  new Promise<{ error: Error | null; address: unknown }>((resolve) =>
    createLookup(policy, 80)("localhost", { all }, (error, address) => resolve({ error, address })),
  );

test("rejects a name that resolves to an address that is not allowed", async () => {
  for (const all of [true, false]) {
    expect((await lookup(exposed, all)).error).toMatchObject({
      reason: "ADDRESS_NOT_ALLOWED",
      message: expect.stringContaining("--allow-destination localhost:80") as string,
    });
    expect((await lookup(atHome, all)).error).toBeNull();
  }
});
