import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { ManifestSchema } from "../../gen/ts/holdfast/backup/v1/manifest_pb.js";
import { logChecksumText, pruneChecksumText } from "../../src/segment/row.js";
import { segmentSchema } from "../../src/segment/tables.js";
import { decodeManifest } from "../../src/segment/manifest.js";
import { formatVersion } from "../../src/segment/format.js";
import { limits } from "../../src/limits.js";

const text = readFileSync("docs/format.md", "utf8");
/** The text without line breaks. */
const prose = text.replace(/\s+/g, " ");
const blocks = [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, block]) => block ?? "");

test("the tables, checksums and limits match the code", () => {
  for (const statement of Object.values(segmentSchema)) expect(text).toContain(statement);
  expect(text).toContain(logChecksumText);
  expect(text).toContain(pruneChecksumText);
  expect(prose).toContain(`page size ${limits.segmentPageBytes}`);
  expect(prose).toContain(`beyond ${limits.chainDeltas} deltas`);
  expect(prose).toContain(`every ${limits.leaseHeartbeatMs / 1000} seconds`);
  expect(prose).toContain(`unchanged for ${limits.leaseExpiryMs / 1000} seconds`);
  expect(prose).toContain(`the version of this format: ${formatVersion} |`);
});

test("documents every field of a manifest", () => {
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

test("the manifest and the segments of the example match their names", () => {
  const example = blocks.find((block) => block.startsWith('{\n  "formatVersion"')) ?? "";
  const digest = createHash("sha256").update(example).digest("hex");
  const line = new RegExp(`^${digest}  (manifest-.*)$`, "m").exec(text);
  const { manifest } = decodeManifest(line?.[1] ?? "", Buffer.from(example));
  for (const { name, sha256 } of manifest.segments) expect(text).toContain(`${sha256}  ${name}\n`);
});

test("the checksum of the example matches the lines shown", () => {
  const lines = blocks.find((block) => /^\d{16}\n\/core\/examples\/ada\n/.test(block)) ?? "";
  expect(lines.trimEnd().split("\n")).toHaveLength(8);
  expect(text).toContain(`${crc32(lines.slice(0, -1))} is the CRC-32 of these eight lines`);
});
