import { commandLine } from "./confirm.js";

test("the command to repeat is shell-quoted, has the resolved time, and hides tokens and URL queries", () => {
  expect(
    commandLine(["restore", "/a b", "--at", "15m ago", "--token", "secret", "--token-file=it's"], {
      "--at": "2026-11-22T15:23:38.605007Z",
    }),
  ).toBe(
    `holdfast restore '/a b' --at 2026-11-22T15:23:38.605007Z --token TOKEN '--token-file=it'\\''s'`,
  );
  expect(commandLine(["restore", "https://h/b.zip?code=secret"], {})).toBe(
    "holdfast restore 'https://h/b.zip?...'",
  );
  expect(
    commandLine(["restore", "--at=15m ago", "--token=secret", "--tokens"], {
      "--at": "2026-11-22T15:23:38.605007Z",
    }),
  ).toBe("holdfast restore --at=2026-11-22T15:23:38.605007Z --token=TOKEN --tokens");
});
