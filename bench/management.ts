/** The requests of a script to /core/management; each resolves to how long it took, in milliseconds. */
const kindPrefix = "com:vmware:xenon:services:common:ServiceHostManagementService";

export async function manage(
  port: number,
  kind: "BackupRequest" | "RestoreRequest" | "AutoBackupConfiguration",
  fields: object,
): Promise<number> {
  const begun = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/core/management`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ kind: `${kindPrefix}:${kind}`, ...fields }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return performance.now() - begun;
}

export async function patchDocuments(
  port: number,
  names: number[],
  { connections = 32, path = "/bench" } = {},
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let name = names[next++]; name !== undefined; name = names[next++]) {
        const response = await fetch(`http://127.0.0.1:${port}${path}/d${name}`, {
          method: "PATCH",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ name: `changed ${Date.now()}` }),
        });
        if (!response.ok) throw new Error(await response.text());
        await response.arrayBuffer();
      }
    }),
  );
}

/** Resolves once the document can be read; milliseconds. */
export async function untilReadable(port: number, name: number): Promise<number> {
  const begun = performance.now();
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/bench/d${name}`);
    await response.arrayBuffer();
    if (response.ok) return performance.now() - begun;
  }
}
