import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** perfdhcp's own address: it plays a relay on the rack's wire. */
export const LOAD_IP = '10.0.0.3';
const CLIENTS = 20_000;

/** perfdhcp, which goes on whatever happens to the server: new machines at a rate, of which some renew and some give back. */
export class Load {
  readonly #rate: number;
  #child: ChildProcess | undefined;
  #stopping = false;
  #base: number;

  /** `base` tells the machines of one run from those of others: the third octet of their addresses, and on. */
  constructor(rate: number, base: number) {
    this.#rate = rate;
    this.#base = base << 4;
    this.#spawn();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (!child) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  #spawn(): void {
    const base = this.#base++;
    const mac = `00:0c:${hex(base >> 8)}:${hex(base)}:00:00`;
    const some = Math.max(1, Math.round(this.#rate / 10));
    const rates = ['-r', `${this.#rate}`, '-f', `${some}`, '-F', `${some}`];
    const args = ['-4', '-R', `${CLIENTS}`, ...rates, '-p', '600', '-b', `mac=${mac}`, '-l', LOAD_IP, '10.0.0.2'];
    const child = spawn('perfdhcp', args, { stdio: 'ignore' });
    this.#child = child;
    child.once('exit', () => {
      this.#child = undefined;
      // It gives up where the wire does not take its packets.
      if (!this.#stopping) setTimeout(() => this.#stopping || this.#spawn(), 200);
    });
  }
}

const hex = (n: number): string => (n & 255).toString(16).padStart(2, '0');
