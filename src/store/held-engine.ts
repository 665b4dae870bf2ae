import type { Engine } from "../engine/engine.js";

/** An open engine that closes once no call uses it any more. */
export class HeldEngine {
  private users = 0;
  private idle: (() => void) | undefined;

  /** `close` closes the engine. Default: as it closes itself. */
  constructor(
    readonly engine: Engine,
    private readonly close = () => engine.close(),
  ) {}

  /** Runs work on the engine, which stays open until the work ends. Do not call it after `retire`. */
  async use<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    this.users += 1;
    try {
      return await work(this.engine);
    } finally {
      this.users -= 1;
      if (this.users === 0) this.idle?.();
    }
  }

  /** Waits for the calls under way, then closes the engine. */
  async retire(): Promise<void> {
    if (this.users > 0) await new Promise<void>((resolve) => (this.idle = resolve));
    await this.close();
  }
}
