/**
 * The CRC-32 of texts one after another, from the CRC-32 and the length of each: appending n bytes multiplies by x^8n
 * modulo the polynomial, which is a linear map of the 32 bits. If one of the texts does not match its checksum, the
 * result does not match that of the whole.
 */
export function combinedCrc(crcs: readonly number[], lengths: readonly number[]): number {
  let crc = 0;
  for (let at = 0; at < crcs.length; at += 1)
    crc = appendZeros(crc, lengths[at] ?? 0) ^ (crcs[at] ?? 0);
  return crc >>> 0;
}

/** The map of 2^n appended bytes, as the images of each value of each of the four bytes; made when first used. */
const maps: Uint32Array[] = [];
const polynomial = 0xedb88320;

function appendZeros(crc: number, bytes: number): number {
  let result = crc;
  for (let power = 0, left = bytes; left > 0; power += 1, left = Math.floor(left / 2))
    if (left % 2 === 1) result = apply(mapOf(power), result);
  return result;
}

function mapOf(power: number): Uint32Array {
  const made = maps[power];
  if (made) return made;
  const half = power === 0 ? undefined : mapOf(power - 1);
  const map = fromBits(half ? (bit) => apply(half, apply(half, bit)) : appendZeroByte);
  maps[power] = map;
  return map;
}

function appendZeroByte(crc: number): number {
  let result = crc;
  for (let bit = 0; bit < 8; bit += 1)
    result = (result & 1) === 1 ? (result >>> 1) ^ polynomial : result >>> 1;
  return result;
}

function fromBits(imageOf: (bit: number) => number): Uint32Array {
  const map = new Uint32Array(4 * 256);
  for (let bit = 0; bit < 32; bit += 1) {
    const image = imageOf((1 << bit) >>> 0);
    const first = Math.floor(bit / 8) * 256;
    for (let value = 0; value < 256; value += 1)
      if ((value >> (bit % 8)) & 1) map[first + value] = (map[first + value] ?? 0) ^ image;
  }
  return map;
}

function apply(map: Uint32Array, crc: number): number {
  return (
    ((map[crc & 0xff] ?? 0) ^
      (map[256 + ((crc >>> 8) & 0xff)] ?? 0) ^
      (map[512 + ((crc >>> 16) & 0xff)] ?? 0) ^
      (map[768 + (crc >>> 24)] ?? 0)) >>>
    0
  );
}
