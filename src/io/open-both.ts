/** What is opened together and must be closed. */
interface Closable {
  close(): Promise<void>;
}

/** Resolves when both are open. If one fails, closes the other and throws the error of the first that failed. */
export async function openBoth<T extends Closable>(
  opening: readonly [Promise<T>, Promise<T>],
): Promise<[T, T]> {
  const [left, right] = await Promise.allSettled(opening);
  if (left.status === "fulfilled" && right.status === "fulfilled") return [left.value, right.value];
  if (left.status === "fulfilled") await left.value.close();
  if (right.status === "fulfilled") await right.value.close();
  throw left.status === "rejected" ? left.reason : (right as PromiseRejectedResult).reason;
}
