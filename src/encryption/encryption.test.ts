import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { HostError, type Reason } from "../errors.js";
import { limits } from "../limits.js";
import { createEncryption, type EncryptFor } from "./encryption.js";
import { generateIdentity, Identities } from "./identities.js";
import { encryptedSize, plainSize } from "./payload.js";
import { decrypt, openAge } from "./reader.js";
import { parseRecipients } from "./recipients.js";

async function* streamOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

/** Splits bytes at random but reproducible positions. */
function split(bytes: Buffer, cuts: number[]): Buffer[] {
  const positions = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  return positions.slice(1).map((end, i) => bytes.subarray(positions[i], end));
}

async function keyPair(postQuantum = false) {
  const { recipient, identityFile } = await generateIdentity({ createdMs: 0, postQuantum });
  return {
    to: await parseRecipients(recipient),
    recipient,
    identities: await Identities.parse(identityFile),
  };
}

async function encrypted(to: EncryptFor, plain: Buffer) {
  const encryption = await createEncryption("f.age", to);
  const file = await collect(encryption.encrypt(streamOf(plain)));
  return { encryption, file };
}

const chunk = 65_536;
const storedChunk = chunk + 16;
const sizes = [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 200_000];

async function rejection(work: Promise<unknown>): Promise<HostError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HostError);
  return error as HostError;
}

let pair: Awaited<ReturnType<typeof keyPair>>;
beforeAll(async () => {
  pair = await keyPair();
});

test.each(sizes)("decrypts what it encrypted: %p bytes", async (size) => {
  const plain = randomBytes(size);
  const { encryption, file } = await encrypted(pair.to, plain);
  expect(file).toHaveLength(encryption.encryptedSize(size));
  expect(encryption.reader.plainSize(file.length)).toBe(size);
  expect(await collect(decrypt("f.age", streamOf(file), pair.identities))).toEqual(plain);
  // Without an identity, by the key in memory.
  expect(await collect(encryption.reader.decrypt(streamOf(file)))).toEqual(plain);
});

test("passes encrypted data on in large buffers", async () => {
  const encryption = await createEncryption("f.age", pair.to);
  const lengths: number[] = [];
  for await (const { length } of encryption.encrypt(streamOf(Buffer.alloc(40 * chunk))))
    lengths.push(length);
  expect(lengths.reduce((a, b) => a + b)).toBe(encryption.encryptedSize(40 * chunk));
  for (const length of lengths.slice(0, -1)) {
    expect(length).toBeGreaterThanOrEqual(limits.encryptedBlockBytes);
    expect(length).toBeLessThan(limits.encryptedBlockBytes + storedChunk);
  }
});

test("encrypts the same bytes with another key each time", async () => {
  const [a, b] = [
    await encrypted(pair.to, Buffer.alloc(9)),
    await encrypted(pair.to, Buffer.alloc(9)),
  ];
  const nonceOf = ({ encryption, file }: typeof a) =>
    file.subarray(encryption.payloadOffset - 16, encryption.payloadOffset).toString("hex");
  expect(nonceOf(a)).not.toBe(nonceOf(b));
  expect(a.file.subarray(a.encryption.payloadOffset)).not.toEqual(
    b.file.subarray(b.encryption.payloadOffset),
  );
});

test("encrypts one file only, and nothing after it was closed", async () => {
  const { encryption } = await encrypted(pair.to, Buffer.alloc(9));
  await expect(collect(encryption.encrypt(streamOf()))).rejects.toThrow("encrypts one file");
  const other = await createEncryption("f.age", pair.to);
  other.close();
  await expect(collect(other.encrypt(streamOf()))).rejects.toThrow("destroyed");
});

test("any chunking gives the same file and the same data", async () => {
  const plain = randomBytes(3 * chunk + 17);
  const { file } = await encrypted(pair.to, plain);
  const cuts = fc.array(fc.nat(), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(cuts, cuts, async (plainCuts, storedCuts) => {
      const encryption = await createEncryption("f.age", pair.to);
      const made = await collect(encryption.encrypt(streamOf(...split(plain, plainCuts))));
      expect(made).toHaveLength(file.length);
      for (const one of [made, file])
        expect(
          (
            await collect(decrypt("f.age", streamOf(...split(one, storedCuts)), pair.identities))
          ).equals(plain),
        ).toBe(true);
    }),
    { numRuns: 25 },
  );
  // One byte at a time, in the header too.
  const bytes = Array.from({ length: 1000 }, (_, i) => file.subarray(i, i + 1));
  expect(
    await collect(decrypt("f.age", streamOf(...bytes, file.subarray(1000)), pair.identities)),
  ).toEqual(plain);
});

test("decrypts any range, and reads only its chunks", async () => {
  const plain = randomBytes(4 * chunk);
  const { file, encryption } = await encrypted(pair.to, plain);
  const reader = await openAge("f.age", file.subarray(0, 1000), pair.identities);
  expect(reader.payloadOffset).toBe(encryption.payloadOffset);
  const edge = fc.oneof(
    fc.nat(plain.length),
    fc.constantFrom(0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, plain.length),
  );
  await fc.assert(
    fc.asyncProperty(edge, edge, async (a, b) => {
      const [start, end] = a < b ? [a, b] : [b, a];
      let readBytes = 0;
      const found = await collect(
        reader.decryptRange({ start, end, storedBytes: file.length }, (from, to) => {
          readBytes += to - from;
          return streamOf(file.subarray(from, to));
        }),
      );
      expect(found.equals(plain.subarray(start, end))).toBe(true);
      const chunks = start === end ? 0 : Math.ceil(end / chunk) - Math.floor(start / chunk);
      expect(readBytes).toBe(chunks * storedChunk);
    }),
  );
});

test.each<[number, number, Reason]>([
  [-1, 5, "RANGE_NOT_SATISFIABLE"],
  [5, 4, "RANGE_NOT_SATISFIABLE"],
  [0, 11, "RANGE_NOT_SATISFIABLE"],
  [0.5, 4, "RANGE_NOT_SATISFIABLE"],
  [NaN, 4, "RANGE_NOT_SATISFIABLE"],
])("refuses the range from %p to %p of 10 bytes", async (start, end, reason) => {
  const { file, encryption } = await encrypted(pair.to, randomBytes(10));
  const range = encryption.reader.decryptRange({ start, end, storedBytes: file.length }, () =>
    streamOf(),
  );
  expect((await rejection(collect(range))).reason).toBe(reason);
});

test.each([-1, 1])("a range whose read returns %p bytes too many is damaged", async (more) => {
  const { file, encryption } = await encrypted(pair.to, randomBytes(2 * chunk));
  const range = encryption.reader.decryptRange(
    { start: 0, end: 10, storedBytes: file.length },
    (from, to) => streamOf(file.subarray(from, to + more)),
  );
  expect(await rejection(collect(range))).toMatchObject({
    reason: "BACKUP_DAMAGED",
    message: expect.stringContaining("The file changed"),
  });
});

test("sizes of plain and stored bytes agree, and other sizes are impossible", () => {
  fc.assert(
    fc.property(fc.nat(4 * chunk), fc.nat(1000), (plain, offset) => {
      expect(plainSize(offset, encryptedSize(offset, plain))).toBe(plain);
    }),
  );
  for (const stored of [0, 15, storedChunk + 1, storedChunk + 16, 2 * storedChunk + 16, NaN])
    expect(() => plainSize(200, 200 + stored)).toThrow("no encrypted file has");
  expect(plainSize(200, 200 + 16)).toBe(0);
  expect(plainSize(200, 200 + storedChunk + 17)).toBe(chunk + 1);
});

describe("a changed file", () => {
  const plain = randomBytes(3 * chunk + 100);
  let file: Buffer;
  let offset: number;
  let read: ((bytes: Buffer) => Promise<Buffer>)[];
  beforeAll(async () => {
    const made = await encrypted(pair.to, plain);
    ({ file } = made);
    offset = made.encryption.payloadOffset;
    read = [
      (bytes) => collect(decrypt("f.age", streamOf(bytes), pair.identities)),
      (bytes) => collect(made.encryption.reader.decrypt(streamOf(bytes))),
    ];
  });
  const stored = (index: number) =>
    file.subarray(offset + index * storedChunk, offset + (index + 1) * storedChunk);
  const withChunks = (...indexes: number[]) =>
    Buffer.concat([file.subarray(0, offset), ...indexes.map(stored)]);

  test.each<[string, () => Buffer, RegExp]>([
    ["truncated between chunks", () => withChunks(0, 1), /truncated after 2 chunks/],
    ["without its last byte", () => file.subarray(0, -1), /was changed/],
    [
      "with a rest shorter than a tag",
      () => Buffer.concat([withChunks(0, 1), stored(2).subarray(0, 9)]),
      /truncated/,
    ],
    ["truncated before its payload", () => file.subarray(0, offset), /truncated/],
    ["truncated in its nonce", () => file.subarray(0, offset - 1), /truncated in its header/],
    ["truncated in its header", () => file.subarray(0, 50), /truncated in its header/],
    ["empty", () => Buffer.alloc(0), /truncated in its header/],
    ["with swapped chunks", () => withChunks(1, 0, 2, 3), /was changed or belongs elsewhere/],
    ["with a repeated chunk", () => withChunks(0, 0, 1, 2, 3), /was changed or belongs elsewhere/],
    ["without a chunk", () => withChunks(0, 2, 3), /was changed or belongs elsewhere/],
    ["with bytes after its end", () => Buffer.concat([file, Buffer.from("x")]), /was changed/],
    ["with another nonce", () => changed(offset - 1), /was changed|header differs/],
    ["with a changed MAC", () => changed(offset - 16 - 5), /header was changed|header differs/],
  ])("%s is damaged", async (_, change, message) => {
    for (const way of read)
      expect(await rejection(way(change()))).toMatchObject({
        reason: "BACKUP_DAMAGED",
        message: expect.stringMatching(message),
      });
  });

  const changed = (position: number) => {
    const copy = Buffer.from(file);
    copy[position] = copy[position]! ^ 1;
    return copy;
  };

  test("with one changed byte is not decrypted", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 1), async (position) => {
        for (const way of read)
          expect(["BACKUP_DAMAGED", "IDENTITY_MISSING", "FORMAT_TOO_NEW"]).toContain(
            (await rejection(way(changed(position)))).reason,
          );
      }),
      { examples: Array.from({ length: 120 }, (_, i) => [i]) },
    );
  });

  test("has further bytes after a complete last chunk", async () => {
    const whole = await encrypted(pair.to, plain.subarray(0, chunk));
    const longer = Buffer.concat([whole.file, randomBytes(50)]);
    expect(
      await rejection(collect(decrypt("f.age", streamOf(longer), pair.identities))),
    ).toMatchObject({ message: expect.stringContaining("further bytes after its last chunk") });
  });

  test("yields no byte of a changed chunk", async () => {
    const parts: Buffer[] = [];
    const work = async () => {
      const bytes = streamOf(changed(offset + storedChunk + 5));
      for await (const part of decrypt("f.age", bytes, pair.identities)) parts.push(part);
    };
    await rejection(work());
    expect(Buffer.concat(parts)).toEqual(plain.subarray(0, chunk));
  });
});

describe("headers of others", () => {
  const line = `${"A".repeat(64)}\n`;
  test.each<[string, string | Buffer, Reason, RegExp]>([
    [
      "random bytes",
      randomBytes(2 * limits.ageHeaderBytes),
      "BACKUP_DAMAGED",
      /not an age file|exceeds/,
    ],
    ["another format", "-----BEGIN CERTIFICATE-----\n", "BACKUP_DAMAGED", /not an age file/],
    ["a later version", "age-encryption.org/v2\n", "FORMAT_TOO_NEW", /another version/],
    [
      "no end of line",
      "a".repeat(2 * limits.ageHeaderBytes),
      "BACKUP_DAMAGED",
      /exceeds 65536 bytes/,
    ],
    [
      "an endless stanza",
      `age-encryption.org/v1\n-> X25519 a\n${line.repeat(2000)}`,
      "BACKUP_DAMAGED",
      /exceeds 65536 bytes/,
    ],
    [
      "too many stanzas",
      `age-encryption.org/v1\n${"-> a b\n\n".repeat(33)}--- ${"A".repeat(43)}\n${"n".repeat(16)}`,
      "BACKUP_DAMAGED",
      /more than 32 stanzas/,
    ],
    [
      "a malformed stanza",
      `age-encryption.org/v1\n-> X25519 a b c\n\n--- ${"A".repeat(43)}\n${"n".repeat(16)}`,
      "BACKUP_DAMAGED",
      /malformed/,
    ],
    [
      "no stanza",
      `age-encryption.org/v1\n--- ${"A".repeat(43)}\n${"n".repeat(16)}`,
      "IDENTITY_MISSING",
      /no given identity/,
    ],
    [
      "a foreign stanza",
      `age-encryption.org/v1\n-> other a\n\n--- ${"A".repeat(43)}\n${"n".repeat(16)}`,
      "IDENTITY_MISSING",
      /no given identity/,
    ],
  ])("%s", async (_, text, reason, message) => {
    const bytes = Buffer.from(text);
    for (const way of [
      () => openAge("f.age", bytes, pair.identities),
      () => collect(decrypt("f.age", streamOf(bytes), pair.identities)),
    ])
      expect(await rejection(way())).toMatchObject({
        reason,
        message: expect.stringMatching(message),
      });
  });

  test("any text after the version ends with a HostError", async () => {
    const lines = fc.array(
      fc.oneof(
        fc.constantFrom("-> X25519 a", "-> scrypt a 18", "-> mlkem768x25519 a", "--- ", "", "---"),
        fc.base64String(),
        fc.string(),
      ),
    );
    await fc.assert(
      fc.asyncProperty(lines, async (found) => {
        const text = ["age-encryption.org/v1", ...found, `--- ${"A".repeat(43)}`, "n".repeat(16)];
        await rejection(openAge("f.age", Buffer.from(text.join("\n")), pair.identities));
      }),
    );
  });
});

test("closes its source when a consumer stops early or the header is invalid", async () => {
  const { file } = await encrypted(pair.to, randomBytes(2 * chunk));
  let closed = 0;
  async function* source(bytes: Buffer) {
    try {
      for (let i = 0; i < bytes.length; i += 1000) yield bytes.subarray(i, i + 1000);
    } finally {
      closed += 1;
    }
  }
  for await (const part of decrypt("f.age", source(file), pair.identities)) {
    expect(part).toHaveLength(chunk);
    break;
  }
  await rejection(collect(decrypt("f.age", source(randomBytes(99)), pair.identities)));
  expect(closed).toBe(2);
});

test("passes an error of the source on", async () => {
  async function* failing() {
    yield Buffer.alloc(100_000);
    throw new Error("disk");
  }
  const encryption = await createEncryption("f.age", pair.to);
  await expect(collect(encryption.encrypt(failing()))).rejects.toThrow("disk");
});

describe("recipients and identities", () => {
  test("a passphrase for a file with recipients is named as the mistake", async () => {
    const { file } = await encrypted(await parseRecipients(pair.recipient), Buffer.from("data"));
    const withPassphrase = Identities.ofPassphrase("secret");
    expect(
      await rejection(collect(decrypt("f.age", streamOf(file), withPassphrase))),
    ).toMatchObject({
      reason: "IDENTITY_MISSING",
      message: expect.stringContaining("encrypted to recipients, not with a passphrase") as string,
    });
  });

  test("each of several recipients decrypts, others do not", async () => {
    const pairs = [pair, await keyPair(), await keyPair()];
    const to = await parseRecipients(pairs.map(({ recipient }) => recipient).join("\n"));
    const { file } = await encrypted(to, Buffer.from("data"));
    for (const { identities } of pairs)
      expect(String(await collect(decrypt("f.age", streamOf(file), identities)))).toBe("data");
    const other = await keyPair();
    expect(
      await rejection(collect(decrypt("f.age", streamOf(file), other.identities))),
    ).toMatchObject({
      reason: "IDENTITY_MISSING",
      message:
        "Cannot decrypt f.age: no given identity is one of its recipients. Provide the identity of one of them.",
    });
    expect(
      String(
        await collect(
          decrypt(
            "f.age",
            streamOf(file),
            Identities.join([other.identities, pairs[2]!.identities]),
          ),
        ),
      ),
    ).toBe("data");
  });

  test("no identity at all", async () => {
    const { file } = await encrypted(pair.to, Buffer.from("data"));
    expect(await rejection(openAge("f.age", file, undefined))).toMatchObject({
      reason: "IDENTITY_MISSING",
      message:
        "Cannot decrypt f.age: it is encrypted. Provide an identity of one of its recipients, with --identity FILE or as decryption.identities.",
    });
  });

  test("post-quantum", async () => {
    const hybrid = await keyPair(true);
    expect(hybrid.recipient).toMatch(/^age1pq1/);
    expect(hybrid.to.postQuantum).toBe(true);
    const { file } = await encrypted(hybrid.to, Buffer.from("data"));
    expect(String(await collect(decrypt("f.age", streamOf(file), hybrid.identities)))).toBe("data");
    expect((await rejection(openAge("f.age", file, pair.identities))).reason).toBe(
      "IDENTITY_MISSING",
    );
  });

  test("a passphrase", async () => {
    const { file } = await encrypted({ passphrase: "correct horse" }, Buffer.from("data"));
    const open = (identities: Identities | undefined) => openAge("f.age", file, identities);
    expect(
      String(
        await collect(decrypt("f.age", streamOf(file), Identities.ofPassphrase("correct horse"))),
      ),
    ).toBe("data");
    for (const [identities, message] of [
      [Identities.ofPassphrase("wrong"), "the passphrase is wrong"],
      [pair.identities, "it is encrypted with a passphrase. Provide it, with --passphrase-file"],
      [undefined, "it is encrypted. Provide its passphrase"],
    ] as const)
      expect(await rejection(open(identities))).toMatchObject({
        reason: "IDENTITY_MISSING",
        message: expect.stringContaining(message),
      });
  });

  test.each<[string, Reason]>([
    [`-> scrypt ${"A".repeat(22)} 21`, "IDENTITY_MISSING"],
    [`-> scrypt ${"A".repeat(22)} 99`, "IDENTITY_MISSING"],
    [`-> scrypt ${"A".repeat(22)} 018`, "BACKUP_DAMAGED"],
    [`-> scrypt ${"A".repeat(22)} 1e1`, "BACKUP_DAMAGED"],
    [`-> scrypt ${"A".repeat(20)} 18`, "BACKUP_DAMAGED"],
    [`-> scrypt ${"A".repeat(22)}`, "BACKUP_DAMAGED"],
    [`-> other x\n\n-> scrypt ${"A".repeat(22)} 10`, "BACKUP_DAMAGED"],
  ])("refuses the passphrase stanza %p without hashing", async (stanza, reason) => {
    const text = `age-encryption.org/v1\n${stanza}\n${"A".repeat(43)}\n--- ${"A".repeat(43)}\n${"n".repeat(16)}`;
    expect(
      (await rejection(openAge("f.age", Buffer.from(text), Identities.ofPassphrase("p")))).reason,
    ).toBe(reason);
  });

  test("refuses an empty or long passphrase", async () => {
    for (const passphrase of ["", "p".repeat(limits.passphraseBytes + 1)])
      expect((await rejection(createEncryption("f.age", { passphrase }))).reason).toBe(
        "RECIPIENT_INVALID",
      );
  });

  test("refuses a recipient that is no usable key", async () => {
    // The point zero, with which anybody knows the shared secret.
    const to = await parseRecipients(
      "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
    );
    expect((await rejection(createEncryption("f.age", to))).reason).toBe("RECIPIENT_INVALID");
  });
});

test("the file has the header of age and no plain text", async () => {
  const plain = Buffer.from("secret ".repeat(1000));
  const { file } = await encrypted(pair.to, plain);
  expect(file.toString("latin1")).toMatch(
    /^age-encryption\.org\/v1\n-> X25519 [\w+/]{43}\n[\w+/]{43}\n--- [\w+/]{43}\n/,
  );
  expect(file.includes("secret")).toBe(false);
});
