import { commandLine } from "./confirm.js";

test("the command to type is quoted, has the very moment, and no token", () => {
  expect(
    commandLine(["restore", "/a b", "--at", "15m ago", "--token", "secret", "--token-file=it's"], {
      "--at": "1795361018605007",
    }),
  ).toBe(`holdfast restore '/a b' --at 1795361018605007 --token TOKEN '--token-file=it'\\''s'`);
  expect(commandLine(["restore", "https://h/b.zip?code=secret"], {})).toBe(
    "holdfast restore 'https://h/b.zip?...'",
  );
  expect(
    commandLine(["restore", "--at=15m ago", "--token=secret", "--tokens"], {
      "--at": "1795361018605007",
    }),
  ).toBe("holdfast restore --at=1795361018605007 --token=TOKEN --tokens");
});
