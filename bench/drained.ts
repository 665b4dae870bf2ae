/** Reads the answer to a GET, or to a POST of a body, without keeping it. */
export async function drained(
  port: number,
  path: string,
  body?: object,
): Promise<{ took: number; bytes: number }> {
  const begun = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    ...(body && {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  if (!response.ok || !response.body) throw new Error(await response.text());
  let bytes = 0;
  for await (const chunk of response.body) bytes += (chunk as Uint8Array).length;
  return { took: performance.now() - begun, bytes };
}
