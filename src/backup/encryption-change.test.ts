import type { StoredManifest } from "../segment/manifest.js";
import {
  encryptionChange,
  encryptionWarnings,
  readersOf,
  requireEncryption,
  type EncryptionBefore,
  type EncryptionWish,
} from "./encryption-change.js";
import type { WrittenManifest } from "./written-manifests.js";

type Wish = Omit<EncryptionWish, "destination" | "identity" | "written">;

const destination = "file:///b";
const plain = { encryption: undefined };
const to = (...recipients: string[]) => ({ encryption: { recipients } });
const withPassphrase = to();

/** A manifest of which only the encryption matters. */
function chain(recipients?: string[], indexId = "own"): StoredManifest {
  const encryption = recipients && { recipients };
  return {
    name: "m",
    sha256: "",
    manifest: { encryption, indexId },
  } as unknown as StoredManifest;
}

/** What is at a destination, and what the record of the host has of it. */
type There = EncryptionBefore & Pick<EncryptionWish, "written">;

interface More {
  existing?: EncryptionBefore["existing"];
  hasEncryptedFiles?: boolean;
  last?: WrittenManifest;
  isRecorded?: boolean;
}

const before = (
  previous: StoredManifest | undefined,
  { existing, hasEncryptedFiles = false, last, isRecorded = false }: More = {},
): There => ({
  existing: existing ?? (previous ? [{ name: previous.name, file: previous }] : []),
  hasEncryptedFiles: async () => hasEncryptedFiles,
  previous,
  indexId: "own",
  written: {
    find: (sha256) => (isRecorded ? { sha256 } : undefined),
    last: (identity, indexId) => (identity === "id" && indexId === "own" ? last : undefined),
  },
});
const wishAt = ({ written }: There, wish: Wish): EncryptionWish => ({
  destination,
  identity: "id",
  written,
  ...wish,
});
const change = (wish: Wish, previous: StoredManifest | undefined) =>
  encryptionChange(wishAt(before(previous), wish), before(previous));

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

describe("a backup in the clear is refused", () => {
  const encrypted = chain(["a"]);
  const recorded = { sha256: "", readers: "passphrase" };
  const existing = [{ name: encrypted.name, file: encrypted }];
  test.each<[string, There]>([
    ["after an encrypted chain", before(encrypted)],
    ["beside another encrypted chain", before(undefined, { existing })],
    ["beside files of an encrypted chain", before(undefined, { hasEncryptedFiles: true })],
    ["where this host encrypted, whatever is there now", before(undefined, { last: recorded })],
    [
      "after an encrypted chain that is not in the record, of a later state of the host",
      before(encrypted, { last: { sha256: "" } }),
    ],
    ["also beside a plain chain", before(chain(), { last: recorded })],
  ])("%s", async (_what, there) => {
    const wish = wishAt(there, plain);
    const required = { reason: "ENCRYPTION_REQUIRED" };
    await expect(requireEncryption(wish, there)).rejects.toMatchObject(required);
    await expect(requireEncryption({ ...wish, keepChain: true }, there)).rejects.toMatchObject(
      required,
    );
    await requireEncryption({ ...wish, unencrypted: true }, there);
    await requireEncryption({ ...wish, ...to("a") }, there);
  });

  test("but not where nothing was encrypted", async () => {
    for (const there of [
      before(undefined),
      before(chain(), { last: { sha256: "" } }),
      before(undefined, { last: { sha256: "" }, hasEncryptedFiles: true }),
      // Of another index, and what this host wrote before and somebody brought back.
      before(chain(["a"], "another"), { last: { sha256: "" } }),
      before(chain(["a"]), { last: { sha256: "" }, isRecorded: true }),
    ])
      await requireEncryption(wishAt(there, plain), there);
  });

  test("without a look at the names of files, unless nothing else decides", async () => {
    const asked = async (there: There, wish: Wish) => {
      const hasEncryptedFiles = jest.fn(async () => false);
      await requireEncryption(wishAt(there, wish), { ...there, hasEncryptedFiles });
      return hasEncryptedFiles.mock.calls.length;
    };
    expect(await asked(before(undefined), plain)).toBe(1);
    expect(await asked(before(undefined, { last: { sha256: "" } }), plain)).toBe(0);
    expect(await asked(before(undefined), to("a"))).toBe(0);
    expect(await asked(before(undefined), { ...plain, unencrypted: true })).toBe(0);
  });
});

describe("a warning states who can read the backups", () => {
  const warn = (wish: Wish, there: There, isExtended = false) =>
    encryptionWarnings(wishAt(there, wish), there, isExtended).join("\n");
  const lastWas = (recipients?: string[]) =>
    before(undefined, { last: { sha256: "", readers: readersOf(recipients && { recipients }) } });

  test.each<[string, Wish, There]>([
    ["the first backup", to("a"), before(undefined)],
    ["as before", to("a", "b"), before(chain(["a", "b"]))],
    ["in the clear as before", plain, before(chain())],
    ["an archive as before", to("a"), lastWas(["a"])],
    ["an archive in the clear as before", plain, lastWas()],
    ["a passphrase again", withPassphrase, lastWas([])],
  ])("not for %s", (_what, wish, there) => {
    expect(warn(wish, there)).toBe("");
  });

  test.each<[string, Wish, There, string]>([
    [
      "others",
      to("b", "c"),
      before(chain(["a"])),
      "was encrypted to a. This one takes its place and is encrypted to b and 1 more.",
    ],
    [
      "recipients",
      to("b"),
      before(chain([])),
      "was encrypted with a passphrase. This one takes its place and is encrypted to b.",
    ],
    [
      "nobody",
      { ...plain, unencrypted: true },
      before(chain(["a"])),
      "was encrypted to a. This one takes its place and is not encrypted.",
    ],
    [
      "others than of the archive",
      to("b"),
      lastWas(["a"]),
      "was encrypted to other recipients. This one takes its place and is encrypted to b.",
    ],
    [
      "whom the archive was not",
      to("b"),
      lastWas(),
      "was not encrypted. This one takes its place and is encrypted to b.",
    ],
  ])("for %s", (_what, wish, there, text) => {
    expect(warn(wish, there)).toBe(`The last backup to ${destination} ${text}`);
  });

  test("for a chain that is continued", () => {
    expect(warn({ ...to("b"), keepChain: true }, before(chain(["a"])), true)).toBe(
      "The backup extends a chain whose earlier segments are encrypted to a; new ones are encrypted to b. A restore needs the keys of all of them.",
    );
    expect(warn({ ...to("b"), keepChain: true }, before(chain()), true)).toContain(
      "earlier segments are not encrypted; new ones are encrypted to b.",
    );
  });
});
