/** Sets variables of the environment during some work; undefined removes one. */
export async function withEnvironment<T>(
  variables: Record<string, string | undefined>,
  work: () => Promise<T>,
): Promise<T> {
  const earlier = Object.fromEntries(
    Object.keys(variables).map((name) => [name, process.env[name]]),
  );
  const set = (values: Record<string, string | undefined>) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(variables);
  try {
    return await work();
  } finally {
    set(earlier);
  }
}
