import { crc32, deflateRawSync } from "node:zlib";

export interface ZipMember {
  name: string;
  data: Buffer;
  /** Stored if absent. */
  deflated?: boolean;
  /** Writes sizes and checksum after the data, like a streaming writer such as Java's. */
  described?: boolean;
  /** Claims of the archive about the entry, true or not. */
  claims?: { flags?: number; method?: number };
}

/** Builds a ZIP byte for byte from its entries; `zip64` uses the large-file fields. */
export function makeZip(members: ZipMember[], { zip64 = false }: { zip64?: boolean } = {}): Buffer {
  const body: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  const known = new Map<Buffer, { deflated: Buffer; crc: number }>();
  /** Entries that share their data are compressed once. */
  const pack = (data: Buffer) => {
    const found = known.get(data) ?? { deflated: deflateRawSync(data), crc: crc32(data) };
    known.set(data, found);
    return found;
  };
  for (const { name, data, deflated = false, described = false, claims = {} } of members) {
    const { deflated: packed, crc } = deflated ? pack(data) : { deflated: data, crc: crc32(data) };
    const { flags = described ? 8 : 0, method = deflated ? 8 : 0 } = claims;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    if (!described)
      for (const [at, value] of [
        [14, crc],
        [18, packed.length],
        [22, data.length],
      ] as const)
        local.writeUInt32LE(value, at);
    local.writeUInt16LE(name.length, 26);
    const descriptor = Buffer.alloc(described ? 16 : 0);
    if (described)
      [0x08074b50, crc, packed.length, data.length].forEach((value, i) =>
        descriptor.writeUInt32LE(value, i * 4),
      );
    const extra = Buffer.alloc(zip64 ? 28 : 0);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      [data.length, packed.length, offset].forEach((value, i) =>
        extra.writeBigUInt64LE(BigInt(value), 4 + i * 8),
      );
    }
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(zip64 ? 0xffffffff : packed.length, 20);
    central.writeUInt32LE(zip64 ? 0xffffffff : data.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(extra.length, 30);
    central.writeUInt32LE(zip64 ? 0xffffffff : offset, 42);
    directory.push(central, Buffer.from(name), extra);
    const parts = [local, Buffer.from(name), packed, descriptor];
    body.push(...parts);
    offset += parts.reduce((sum, part) => sum + part.length, 0);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const large = Buffer.alloc(zip64 ? 76 : 0);
  if (zip64) {
    large.writeUInt32LE(0x06064b50, 0);
    large.writeBigUInt64LE(44n, 4);
    [members.length, members.length, size, offset].forEach((value, i) =>
      large.writeBigUInt64LE(BigInt(value), 24 + i * 8),
    );
    large.writeUInt32LE(0x07064b50, 56);
    large.writeBigUInt64LE(BigInt(offset + size), 64);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(zip64 ? 0xffff : members.length, 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : size, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : offset, 16);
  return Buffer.concat([...body, ...directory, large, end]);
}
