import { limits } from "../../limits.js";
import { createShares } from "../../security/shares.js";
import { HostError } from "../../errors.js";
import { FrameMeter } from "./frames.js";

const client = { key: "a", authenticated: true, admin: false };
const frame = (bytes: number, compressed = 0) => {
  const head = Buffer.from([compressed, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes, 1);
  return Buffer.concat([head, Buffer.alloc(bytes)]);
};
function meterOf(most = 1000) {
  const shares = createShares(
    { total: most, perClient: most },
    () => new HostError("OVERLOADED", "too much"),
  );
  return { shares, meter: new FrameMeter(shares.open(client)) };
}

test("accounts for messages from the first byte until they are consumed, however they are split", () => {
  const { shares, meter } = meterOf();
  const bytes = Buffer.concat([frame(10), frame(0), frame(20)]);
  for (const byte of bytes) meter.push(Buffer.from([byte]));
  expect(shares.taken()).toBe(45);
  expect(meter.waitingBytes).toBe(45);
  meter.taken();
  meter.taken();
  expect(shares.taken()).toBe(25);
  meter.push(frame(30));
  meter.taken();
  meter.taken();
  meter.taken();
  expect(shares.taken()).toBe(0);
});

test("accounts for the received part of an incomplete message", () => {
  const { shares, meter } = meterOf(500);
  meter.push(frame(100_000).subarray(0, 400));
  expect(shares.taken()).toBe(400);
  expect(() => meter.push(Buffer.alloc(101))).toThrow("too much");
});

test("charges a compressed message at the maximum message size", () => {
  const { shares, meter } = meterOf(2 * limits.grpcMessageBytes);
  meter.push(frame(10, 1));
  expect(shares.taken()).toBe(limits.grpcMessageBytes + 15);
  expect(() => meter.push(frame(10, 1))).toThrow("too much");
  const one = meterOf(2 * limits.grpcMessageBytes);
  for (let i = 0; i < 100; i++) {
    one.meter.push(frame(10, 1));
    one.meter.taken();
  }
  expect(one.shares.taken()).toBe(0);
});
