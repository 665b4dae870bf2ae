import { HostError } from "../errors.js";
import { identifyBy, networkOf } from "./clients.js";
import { createShares } from "./shares.js";
import { openTokens } from "./tokens.js";

const identify = identifyBy(openTokens("one read\ntwo write\nboss admin"));
const refuse = (shortage: string, most: number) =>
  new HostError("OVERLOADED", `${shortage} ${most}`);

test("identifies a client by token, or else by address", () => {
  expect(identify("one", "10.0.0.1")).toEqual({
    key: "token 1",
    authenticated: true,
    admin: false,
  });
  expect(identify("boss", "10.0.0.1")).toEqual({
    key: "token 3",
    authenticated: true,
    admin: true,
  });
  for (const token of [undefined, "missing"])
    expect(identify(token, "10.0.0.1")).toEqual({
      key: "address 10.0.0.1",
      authenticated: false,
      admin: false,
    });
  expect(identifyBy(undefined)(undefined, "::1")).toMatchObject({
    authenticated: true,
    admin: true,
  });
});

test.each([
  ["10.1.2.3", "10.1.2.3"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("maps the address %s to the network %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test("limits each client and all unauthenticated clients together, and reserves a share for admins", () => {
  const shares = createShares({ total: 10, perClient: 6, unauthenticated: 4, reserved: 2 }, refuse);
  const [one, two, boss] = ["one", "two", "boss"].map((token) => shares.open(identify(token, "")));
  const unauthenticated = ["1.1.1.1", "2.2.2.2"].map((address) =>
    shares.open(identify(undefined, address)),
  );
  one?.add(5);
  expect(() => one?.add(2)).toThrow("client 6");
  unauthenticated[0]?.add(1);
  expect(() => unauthenticated[0]?.add(1)).toThrow("client 1");
  expect(() => unauthenticated[1]?.add(4)).toThrow("all 8");
  two?.add(1);
  expect(() => two?.add(2)).toThrow("all 8");
  boss?.add(3);
  expect(() => boss?.add(1)).toThrow("all 10");
  for (const hold of [one, two, boss, ...unauthenticated]) hold?.release();
  expect(shares.taken()).toBe(0);
  one?.add(6);
  one?.free(100);
  expect(shares.taken()).toBe(0);
});
