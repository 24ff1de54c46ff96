import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoggedEvent, Server } from '../rig/server.ts';
import type { Findings } from './findings.ts';
import type { Inspector } from './inspector.ts';
import { percentile, REFERENCE, type Seen } from './realClients.ts';
import { canaryIn, NEVER_SHOWN, OF_IMPERSONATED } from './secrets.ts';

/** Bounds that hold whatever is sent. */
const MOST_RSS_MB = 1200;
const MOST_DESCRIPTORS = 3000;
const MOST_STATE_MB = 300;
const MOST_STALL_MS = 1500;
/** What counts as growth between the first and the last third of a run, and the run that is long enough to tell. */
const GROWTH = { part: 0.2, mb: 24, descriptors: 24, leastSamples: 9 } as const;
/** 99 of 100 answers take no longer than this and so many times what they took at rest. */
const P99_MS = 500;
const P99_OF_REST = 4;
/** And so many times what another server on this machine took meanwhile: that is the machine's doing. */
const P99_OF_REFERENCE = 8;
/** Of fewer answers the slowest is chance: the median counts. */
const FEW_ANSWERS = 20;
/** Troubles that are a mistake of the program's, whatever a client sent. */
const MISTAKES: ReadonlySet<unknown> = new Set(['SERVER_FAILED']);

/** `liveMb` is measured in some of them. */
const OWN_MS = 10;

type Sample = { readonly rssMb: number; readonly descriptors: number; readonly liveMb?: number };
/** Memory after a collection of garbage is measured with every fifth sample: the server stands still for it. */
const LIVE_EVERY = 5;

/** Holds what must be so all the time, and reports each breach as a finding. */
export class Invariants {
  readonly #server: Server;
  readonly #state: string;
  readonly #findings: Findings;
  readonly #samples: Sample[] = [];
  readonly #own = monitorEventLoopDelay({ resolution: OWN_MS });
  #stallMs = 0;
  #stateMb = 0;

  constructor(server: Server, state: string, findings: Findings) {
    this.#server = server;
    this.#state = state;
    this.#findings = findings;
    this.#own.enable();
  }

  /** Takes in one line of the server's log. */
  hear(event: LoggedEvent): void {
    const text = JSON.stringify(event);
    if (event.kind === 'server.fault' || event.kind === 'server.restarted') this.#findings.report(event.kind, text);
    if (event.kind === 'server.trouble' && MISTAKES.has(event.code))
      this.#findings.report(`trouble ${event.code}`, text);
    if (
      event.kind === 'output' &&
      /error|exception|warning|\n? at .*:[0-9]+/i.test(text) &&
      !/[Dd]ebugger|inspector/.test(text)
    )
      this.#findings.report('the server printed a failure', text);
    const leak = canaryIn(Buffer.from(text), [...NEVER_SHOWN, OF_IMPERSONATED]);
    if (leak) this.#findings.report(`${leak.name} is in the log`, text);
  }

  /** Measures once. Gives the code that ran for the first time. */
  async sample(inspector: Inspector | undefined): Promise<readonly string[]> {
    const gauges = this.#server.gauges();
    if (!gauges) return [];
    const isLive = this.#samples.length % LIVE_EVERY === LIVE_EVERY - 1;
    const look = await inspector?.look().catch(() => undefined);
    const liveMb = isLive ? await inspector?.liveMemory().catch(() => undefined) : undefined;
    this.#samples.push({ ...gauges, ...(liveMb !== undefined && { liveMb }) });
    // Where this process stood still too, it was the machine.
    const ownMs = Math.max(0, this.#own.max / 1e6 - OWN_MS);
    this.#own.reset();
    const stallMs = Math.max(0, (look?.stallMs ?? 0) - ownMs);
    this.#stateMb = bytesIn(this.#state) / 2 ** 20;
    this.#stallMs = Math.max(this.#stallMs, stallMs);
    this.#bound('memory in use', gauges.rssMb, MOST_RSS_MB, 'MB');
    this.#bound('open descriptors', gauges.descriptors, MOST_DESCRIPTORS, '');
    this.#bound('the state folder', this.#stateMb, MOST_STATE_MB, 'MB');
    this.#bound('a turn of the event loop', stallMs, MOST_STALL_MS, 'ms');
    return look?.newCode ?? [];
  }

  get stateMb(): number {
    return this.#stateMb;
  }

  get stallMs(): number {
    return this.#stallMs;
  }

  /** At the end: nothing grew after the first third, and the real clients were answered in time. */
  finish(seen: ReadonlyMap<string, Seen>, atRest: ReadonlyMap<string, Seen>): void {
    const samples = this.#samples.slice(Math.floor(this.#samples.length / 4));
    if (samples.length >= GROWTH.leastSamples * LIVE_EVERY) {
      this.#growth('memory of JavaScript', samples, ({ liveMb }) => liveMb, GROWTH.mb);
      this.#growth('memory in use', samples, ({ rssMb }) => rssMb, GROWTH.mb * 4);
      this.#growth('open descriptors', samples, ({ descriptors }) => descriptors, GROWTH.descriptors);
    }
    const reference = percentile(seen.get(REFERENCE)?.times ?? [], 0.99);
    const late: string[] = [];
    for (const [client, { times, wrong }] of seen) {
      if (client === REFERENCE) continue;
      const part = times.length < FEW_ANSWERS ? 0.5 : 0.99;
      const slow = percentile(times, part);
      const rest = Math.max(0, ...(atRest.get(client)?.times ?? []));
      const limit = P99_MS + P99_OF_REST * rest + P99_OF_REFERENCE * reference;
      if (slow > limit)
        late.push(
          `${client} p${100 * part} ${Math.round(slow)} ms of ${times.length} answers (limit ${Math.round(limit)} ms)`,
        );
      if (times.length === 0) late.push(`${client} got none in ${wrong} tries`);
    }
    if (late.length > 0) this.#findings.report('known machines wait too long', late.join(', '));
  }

  /** The least of the last third is compared with the median of the first: what comes and goes is no growth. */
  #growth(what: string, samples: readonly Sample[], of: (sample: Sample) => number | undefined, slack: number): void {
    const values = samples.map(of).filter((value) => value !== undefined);
    const third = Math.floor(values.length / 3);
    const before = percentile(values.slice(0, third), 0.5);
    const after = Math.min(...values.slice(-third));
    if (after > before * (1 + GROWTH.part) + slack)
      this.#findings.report(
        `${what} grew`,
        `from ${before.toFixed(1)} to ${after.toFixed(1)}: ${values.map((value) => value.toFixed(0)).join(' ')}`,
      );
  }

  #bound(what: string, value: number, most: number, unit: string): void {
    if (value > most)
      this.#findings.report(`${what} beyond its bound`, `${value.toFixed(1)} ${unit}, bound ${most} ${unit}`);
  }
}

function bytesIn(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    try {
      sum += statSync(join(entry.parentPath, entry.name)).size;
    } catch {
      // It went meanwhile.
    }
  }
  return sum;
}
