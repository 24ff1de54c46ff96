export type GroupCommitOptions<Group, Result = void> = {
  /** What has collected, as much of it as goes at once; `undefined` where nothing waits. Must not throw. */
  readonly take: () => Group | undefined;
  readonly write: (group: Group) => Promise<Result>;
  /** Called when a group is written, with what that gave. Must not throw. */
  readonly written?: (group: Group, result: Result) => void;
  /** Called when a group could not be written: whether to go on with what has collected meanwhile. Must not throw. */
  readonly lost: (group: Group, error: unknown) => boolean;
};

/**
 * Makes many small writes share one wait for the disk: while one group is being written, the next collects. One group is written at a
 * time, in the order in which they are taken.
 */
export class GroupCommit<Group, Result = void> {
  readonly #options: GroupCommitOptions<Group, Result>;
  #running: Promise<boolean> | undefined;
  #since: number | undefined;

  constructor(options: GroupCommitOptions<Group, Result>) {
    this.#options = options;
  }

  /** When the group began that is being written now, on the clock of `performance.now`. */
  get since(): number | undefined {
    return this.#since;
  }

  /**
   * Writes what has collected, and what comes until then, from the next turn of the event loop on; whether all of it is written. Calls that
   * overlap share one run. Never rejects.
   */
  run(): Promise<boolean> {
    this.#running ??= this.#writeAll();
    return this.#running;
  }

  async #writeAll(): Promise<boolean> {
    // What comes in the same turn goes together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const { take, written, lost } = this.#options;
    let goesOn = true;
    while (goesOn) {
      const group = take();
      if (group === undefined) break;
      this.#since = performance.now();
      const outcome = await this.#write(group);
      this.#since = undefined;
      if ('result' in outcome) written?.(group, outcome.result);
      else goesOn = lost(group, outcome.error);
    }
    // In the same step as the last check of what waits: the next caller begins another run.
    this.#running = undefined;
    return goesOn;
  }

  async #write(group: Group): Promise<{ readonly result: Result } | { readonly error: unknown }> {
    try {
      return { result: await this.#options.write(group) };
    } catch (error) {
      return { error };
    }
  }
}
