import { limits } from "../../src/limits.js";
import { createBodyReader } from "../../src/service/documents/body-reader.js";

const bodies = createBodyReader();
afterAll(() => bodies.close());

const long = (text: string) => `{"text":"${"é".repeat(limits.inlineBodyChars)}",${text}}`;

test("parses a long body in a worker thread with the same result", async () => {
  for (const own of ['"n":1.10,"documentSelfLink":"a"', '"n":9007199254740993']) {
    const short = await bodies.read("acme:Thing", "POST", `{${own}}`, {
      given: { documentExpirationTimeMicros: 7 },
    });
    const { body, ...rest } = await bodies.read("acme:Thing", "POST", long(own), {
      given: { documentExpirationTimeMicros: 7 },
    });
    expect(rest).toEqual({ ...short, body: undefined });
    expect(body).toContain(short.body.slice(1));
  }
});

test("returns errors of the worker thread unchanged", async () => {
  await expect(bodies.read("acme:Thing", "POST", `${long('"a":1')}x`)).rejects.toMatchObject({
    reason: "JSON_INVALID",
  });
  await expect(bodies.read("acme:Thing", "POST", "{".repeat(1e6))).rejects.toMatchObject({
    reason: "JSON_INVALID",
    message: expect.stringContaining("nesting limit") as string,
  });
});

test("merges a system field of the request into the body, and rejects one given in both", async () => {
  expect(
    await bodies.read("acme:Thing", "POST", '{"n":9007199254740993}', {
      given: { documentSelfLink: 'a"b' },
    }),
  ).toEqual({ body: '{"n":9007199254740993}', selfLink: 'a"b' });
  await expect(
    bodies.read("acme:Thing", "POST", '{"documentSelfLink":"a"}', {
      given: { documentSelfLink: "b" },
    }),
  ).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
});

test("does not block the event loop while parsing the largest document", async () => {
  await bodies.read("acme:Thing", "POST", long('"warm":1'));
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 1);
  const members = Array.from(
    { length: limits.jsonMembers - 10 },
    (_, i) => `"k${i}":${"1".repeat(40)}`,
  ).join(",");
  await bodies.read("acme:Thing", "POST", `{${members}}`);
  clearInterval(timer);
  // Parsing on the event loop would allow at most one.
  expect(ticks).toBeGreaterThan(3);
});
