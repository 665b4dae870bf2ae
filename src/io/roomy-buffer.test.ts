import { allocateRoomy, withHead } from "./roomy-buffer.js";

const head = Buffer.from("head:");

test("puts a head before a roomy content without a copy, once", () => {
  const content = allocateRoomy(7);
  content.write("content");
  const first = withHead(head, content);
  expect(first.toString()).toBe("head:content");
  expect(first.buffer).toBe(content.buffer);
  // The first result may still wait to be sent.
  const second = withHead(Buffer.from("other:"), content);
  expect(second.toString()).toBe("other:content");
  expect(second.buffer).not.toBe(content.buffer);
  expect(first.toString()).toBe("head:content");
});

test("copies what has no room, and what does not fit", () => {
  const memory = Buffer.from(`${"x".repeat(64)}content`);
  expect(withHead(head, memory.subarray(64)).toString()).toBe("head:content");
  expect(memory.toString()).toBe(`${"x".repeat(64)}content`);
  const long = Buffer.alloc(65, "h");
  const content = allocateRoomy(1);
  content.write("c");
  expect(withHead(long, content).toString()).toBe(`${"h".repeat(65)}c`);
  const part = allocateRoomy(4);
  part.write("abcd");
  expect(withHead(head, part.subarray(1)).toString()).toBe("head:bcd");
  expect(withHead(head, part.subarray(0, 2)).toString()).toBe("head:ab");
});
