/** Closes what a host opened, in reverse order, when it stops or when its start fails. */
export class Lifecycle {
  readonly #closers: (() => Promise<void> | void)[] = [];
  #closing: Promise<void> | undefined;
  #reportClosed = () => {};
  /** Resolves when everything is closed. */
  readonly closed = new Promise<void>((resolve) => (this.#reportClosed = resolve));

  /** Registers the function that closes a resource that was just opened. */
  onClose(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** Closes everything, once. Rejects with the first failure, after closing the rest. */
  close(): Promise<void> {
    return (this.#closing ??= this.#closeAll().finally(() => this.#reportClosed()));
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      await Promise.resolve()
        .then(close)
        .catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}
