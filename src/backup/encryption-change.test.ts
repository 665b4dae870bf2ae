import type { StoredManifest } from "../segment/manifest.js";
import { encryptionChange, type EncryptionWish } from "./encryption-change.js";

type Wish = Omit<EncryptionWish, "destination">;

const destination = "file:///b";
const plain = { encoding: { compression: "none" as const } };
const to = (...recipients: string[]) => ({
  encoding: { compression: "none" as const, encryptTo: { recipients } },
});
const withPassphrase = {
  encoding: { compression: "none" as const, encryptTo: { passphrase: "secret" } },
};

/** A manifest of which only the encryption matters. */
function chain(recipients?: string[]): StoredManifest {
  const encryption = recipients && { recipients };
  return { name: "m", sha256: "", manifest: { encryption } } as unknown as StoredManifest;
}

const change = (
  wish: Wish,
  previous: StoredManifest | undefined,
  existing = previous ? [previous] : [],
) =>
  encryptionChange(
    { destination, ...wish },
    existing.map((file) => ({ name: file.name, file })),
    previous,
  );

test.each<[string, Wish, StoredManifest | undefined]>([
  ["a plain backup after a plain chain", plain, chain()],
  ["a plain backup without a chain", plain, undefined],
  ["an encrypted backup without a chain", to("a"), undefined],
  ["the same recipients", to("a", "b"), chain(["a", "b"])],
  ["other recipients, keeping the chain", { ...to("a"), keepChain: true }, chain(["b"])],
  ["a plain chain that is kept", { ...to("a"), keepChain: true }, chain()],
  ["a passphrase, keeping the chain", { ...withPassphrase, keepChain: true }, chain([])],
])("continues the chain: %s", (_what, wish, previous) => {
  expect(change(wish, previous)).toBeUndefined();
});

test.each<[string, Wish, StoredManifest, string]>([
  ["other recipients", to("a"), chain(["b"]), "recipients differ"],
  ["a further recipient", to("a", "b"), chain(["a"]), "recipients differ"],
  ["recipients after a passphrase", to("a"), chain([]), "recipients differ"],
  ["a plain chain", to("a"), chain(), "not encrypted"],
  ["a passphrase", withPassphrase, chain([]), "cannot be compared"],
  [
    "an explicit backup in the clear",
    { ...plain, unencrypted: true },
    chain(["a"]),
    "is encrypted",
  ],
  [
    "an explicit backup in the clear that keeps the chain",
    { ...plain, unencrypted: true, keepChain: true },
    chain(["a"]),
    "is encrypted",
  ],
])("starts with a new base: %s", (_what, wish, previous, reason) => {
  expect(change(wish, previous)).toContain(reason);
});

test("refuses a backup in the clear beside encrypted ones, of this chain or another", () => {
  const required = expect.objectContaining({ reason: "ENCRYPTION_REQUIRED" }) as Error;
  expect(() => change(plain, chain(["a"]))).toThrow(required);
  expect(() => change({ ...plain, keepChain: true }, chain(["a"]))).toThrow(required);
  expect(() => change(plain, undefined, [chain([])])).toThrow(required);
  expect(() => change(plain, undefined, [chain()])).not.toThrow();
});
