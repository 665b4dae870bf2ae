import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemPlatform } from "../../io/platform.js";
import { autoBackupSetting } from "./auto-backup-setting.js";

const directory = mkdtempSync(join(tmpdir(), "holdfast-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("is disabled by default, and keeps the last setting", async () => {
  const setting = autoBackupSetting(systemPlatform, join(directory, "chosen.json"));
  expect(await setting.load()).toEqual({ enabled: false });
  for (const enabled of [true, false, true]) {
    await setting.save(enabled);
    expect(await setting.load()).toEqual({ enabled });
  }
});

test.each(["", "{", "null", '{"enabled":"yes"}', "x".repeat(10_000)])(
  "an invalid file (%#) enables automatic backups with a warning",
  async (text) => {
    const path = join(directory, "damaged.json");
    writeFileSync(path, text);
    expect(await autoBackupSetting(systemPlatform, path).load()).toEqual({
      enabled: true,
      warning: expect.stringContaining(path) as string,
    });
  },
);
