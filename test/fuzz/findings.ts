import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Input } from './input.ts';

/** What went wrong, with all that is needed to play it again. */
export type Finding = {
  readonly what: string;
  readonly detail: string;
  readonly seed: number;
  readonly at: string;
  /** The input that did it, where that is known for sure. */
  readonly input?: Input;
  /** The last inputs before it, the oldest first, `at` milliseconds after the first of all. */
  readonly recent: readonly Played[];
};

export type Played = { readonly at: number; readonly input: Input };

/** Inputs that are kept for a finding's file. */
const RECENT = 3000;
const RECENT_BYTES = 16 * 1024 * 1024;

/** Gathers findings: the first of each kind becomes a file, the others are counted. */
export class Findings {
  readonly #folder: string;
  readonly #seed: number;
  readonly #since = performance.now();
  readonly #recent: Played[] = [];
  readonly #sizes: number[] = [];
  #bytes = 0;
  /** How often each kind was found, and the file of its first. */
  readonly kinds = new Map<string, { count: number; readonly file: string; readonly detail: string }>();

  constructor(folder: string, seed: number) {
    this.#folder = folder;
    this.#seed = seed;
  }

  /** Remembers an input that is on its way. */
  played(input: Input): void {
    const size = sizeOf(input);
    this.#recent.push({ at: Math.round(performance.now() - this.#since), input });
    this.#sizes.push(size);
    this.#bytes += size;
    while (this.#recent.length > RECENT || this.#bytes > RECENT_BYTES) {
      this.#recent.shift();
      this.#bytes -= this.#sizes.shift() ?? 0;
    }
  }

  report(what: string, detail: string, input?: Input): void {
    const known = this.kinds.get(what);
    if (known) {
      known.count++;
      return;
    }
    const at = new Date().toISOString();
    const file = join(
      this.#folder,
      `${at.replace(/[:.]/g, '-')}-${what.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 60)}.json`,
    );
    const finding: Finding = { what, detail, seed: this.#seed, at, ...(input && { input }), recent: this.#recent };
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(file, `${JSON.stringify(finding)}\n`);
    this.kinds.set(what, { count: 1, file, detail });
    console.error(`FOUND ${what}: ${detail.slice(0, 600)}\n  ${file}`);
  }
}

function sizeOf(input: Input): number {
  if (input.protocol === 'dhcp') return input.payload.length;
  const parts = input.protocol === 'tftp' ? input.steps : input.parts;
  return parts.reduce((sum, { bytes }) => sum + (bytes?.length ?? 8), 0);
}
