import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PROGRAM, type Server } from '../rig/server.ts';

/** Service is to be back within this time on a machine that starts the server in `USUAL_START_MS` or less, else in proportion. */
const BACK_MS = 5000;
const USUAL_START_MS = 1200;

/** How fast this machine is now: other programs may keep it busy. */
export class Pace {
  /** How long the server took to start, and a command of it that loads about as much code. */
  readonly startMs: number;
  readonly #commandMs: number;
  readonly #site: string;
  #limitMs: number;

  /** Starts the server, which stays up. Of three times each the shortest counts: what else runs here makes them only longer. */
  static async measure(server: Server, site: string): Promise<Pace> {
    const starts: number[] = [];
    const commands: number[] = [];
    for (let i = 0; i < 3; i++) {
      await server.stop();
      const since = performance.now();
      await server.start();
      starts.push(performance.now() - since);
      commands.push(await commandTime(site));
    }
    return new Pace(Math.min(...starts), Math.min(...commands), site);
  }

  private constructor(startMs: number, commandMs: number, site: string) {
    this.startMs = startMs;
    this.#commandMs = commandMs;
    this.#site = site;
    this.#limitMs = limitOf(startMs);
  }

  /** Within so many milliseconds service is to be back. */
  get limitMs(): number {
    return this.#limitMs;
  }

  /** How many times slower than usual the machine is; 1 where it is not. */
  get slowness(): number {
    return this.#limitMs / BACK_MS;
  }

  /** Measures the machine as it is now. */
  async refresh(): Promise<void> {
    this.#limitMs = limitOf((this.startMs * (await commandTime(this.#site))) / this.#commandMs);
  }
}

function limitOf(startMs: number): number {
  return BACK_MS * Math.max(1, startMs / USUAL_START_MS);
}

async function commandTime(site: string): Promise<number> {
  const since = performance.now();
  await promisify(execFile)(PROGRAM, ['check', '--site', site]);
  return performance.now() - since;
}
