import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { ManifestSchema } from "../../gen/ts/holdfast/backup/v1/manifest_pb.js";
import { logChecksumText, pruneChecksumText } from "../../src/segment/row.js";
import { segmentSchema } from "../../src/segment/tables.js";
import { decodeManifest } from "../../src/segment/manifest.js";
import { formatVersion } from "../../src/segment/version.js";
import { limits } from "../../src/limits.js";

const text = readFileSync("docs/format.md", "utf8");
const blocks = [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, block]) => block ?? "");

test("the tables and the checksums are those of the code, to the letter", () => {
  for (const statement of Object.values(segmentSchema)) expect(text).toContain(statement);
  expect(text).toContain(logChecksumText);
  expect(text).toContain(pruneChecksumText);
  expect(text).toContain(`page size ${limits.segmentPageBytes}`);
  expect(text).toContain(`beyond ${limits.chainDeltas} deltas`);
  expect(text).toContain(`every ${limits.leaseHeartbeatMs / 1000} seconds`);
  expect(text).toContain(`stands still for ${limits.leaseSilentMs / 1000} seconds`);
  expect(text).toContain(`the version of this format: ${formatVersion} |`);
});

test("every field of a manifest is described", () => {
  const messages = [
    ManifestSchema,
    ...ManifestSchema.fields.flatMap((field) =>
      field.message === undefined ? [] : [field.message],
    ),
  ];
  const names = messages.flatMap((message) => message.fields.map((field) => field.jsonName));
  expect(names).toContain("historyStartMicros");
  for (const name of names) expect(text).toContain(`\`${name}\``);
});

test("the example's manifest has the digest of its name, and its segments are named as they should be", () => {
  const example = blocks.find((block) => block.startsWith('{\n  "formatVersion"')) ?? "";
  const digest = createHash("sha256").update(example).digest("hex");
  const line = new RegExp(`^${digest}  (manifest-.*)$`, "m").exec(text);
  const { manifest } = decodeManifest(line?.[1] ?? "", Buffer.from(example));
  for (const { name, sha256 } of manifest.segments) expect(text).toContain(`${sha256}  ${name}\n`);
});

test("the example's checksum is that of the lines shown", () => {
  const lines = blocks.find((block) => /^\d{16}\n\/core\/examples\/ada\n/.test(block)) ?? "";
  expect(lines.trimEnd().split("\n")).toHaveLength(8);
  expect(text).toContain(`${crc32(lines.slice(0, -1))} is the CRC-32 of these eight lines`);
});
