import { setImmediate } from 'node:timers/promises';
import type { FaultSink } from '../faults.ts';
import { inTurn } from '../inTurn.ts';

/** It may be a promise, which is waited for. */
type Step = () => unknown;

/** What follows an edit of the site, step after step. An edit that comes meanwhile is followed afterwards. */
export class Edits {
  readonly #failed: FaultSink;
  readonly #steps: Step[] = [];
  readonly #inOrder = inTurn();

  /** `failed` takes in what a step throws; the next ones follow all the same. */
  constructor(failed: FaultSink) {
    this.#failed = failed;
  }

  /** Adds a step, behind those that were added before. */
  follow(step: Step): void {
    this.#steps.push(step);
  }

  /** The site is another one, or the addresses of this machine are. */
  takeOver(): void {
    void this.#inOrder(() => this.#run()).catch(this.#failed);
  }

  async #run(): Promise<void> {
    for (const step of this.#steps) {
      // A step takes milliseconds where there are thousands of nodes; requests are answered in between.
      await setImmediate();
      try {
        await step();
      } catch (error) {
        this.#failed(error);
      }
    }
  }
}
