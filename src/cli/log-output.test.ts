import { logOutput } from "./log-output.js";

/**
 * A fake descriptor. Each entry of `next` is the number of bytes that one write accepts, or an
 * error code.
 */
function descriptor() {
  const state = { text: "", next: [] as (number | string)[] };
  const write = (_fd: number, data: Uint8Array) => {
    const answer = state.next.length > 0 ? state.next[0] : data.length;
    if (state.next.length > 1 || typeof answer === "number") state.next.shift();
    if (typeof answer === "string") throw Object.assign(new Error(answer), { code: answer });
    state.text += Buffer.from(data.subarray(0, answer)).toString();
    return Math.min(answer ?? 0, data.length);
  };
  return { state, output: logOutput(2, (lines) => `${lines} lost\n`, write as never) };
}

test.each(["ENOSPC", "EIO", "EPIPE", "EAGAIN"])(
  "drops lines while writes fail with %s, and reports their number before the next line",
  (code) => {
    const { state, output } = descriptor();
    output.write("a\n");
    state.next = [code];
    output.write("b\n");
    output.write("c\n");
    state.next = [];
    output.write("d\n");
    output.write("e\n");
    expect(state.text).toBe("a\n2 lost\nd\ne\n");
  },
);

test("completes a partly written line before the next one", () => {
  const { state, output } = descriptor();
  state.next = [3, "ENOSPC"];
  output.write("first line\n");
  output.write("dropped\n");
  state.next = [];
  output.write("last\n");
  expect(state.text).toBe("first line\n1 lost\nlast\n");
});

test("waits briefly for a full pipe", () => {
  const { state, output } = descriptor();
  state.next = ["EAGAIN", "EAGAIN", 2];
  output.write("a\n");
  expect(state.text).toBe("a\n");
});
