import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readdirSync, readFileSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ON_SERVER } from './network.ts';

export const PROGRAM = join(import.meta.dirname, '../../bin/reveille');

/** One line of the server's log in JSON; `kind` is the event's. */
export type LoggedEvent = { readonly kind: string; readonly [field: string]: unknown };

export type ServerOptions = {
  readonly site: string;
  readonly state: string;
  /** All that it prints is appended to this file. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Hears each event that it logs, and lines that are none as events of the kind `output`. */
  readonly onEvent?: (event: LoggedEvent) => void;
  /** After its end it is started anew, like systemd does; absent: it stays down. */
  readonly restartAfterMs?: number;
  /** `wanted`: by `stop`. */
  readonly onExit?: (how: string, wanted: boolean) => void;
};

/** The real program on the server's machine. */
export class Server {
  readonly #options: ServerOptions;
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;
  #stopping = false;
  #restart: NodeJS.Timeout | undefined;
  #starts = 0;
  #up = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#log = createWriteStream(options.log, { flags: 'a' });
  }

  /** The number of its process; 0 while it is down. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** How often it was started, and how often it came up. */
  get starts(): number {
    return this.#starts;
  }

  get ups(): number {
    return this.#up;
  }

  /** Starts it and waits until it says that it is up. */
  async start(patienceMs = 60_000): Promise<void> {
    this.#stopping = false;
    const before = this.#up;
    this.#spawn();
    for (const end = performance.now() + patienceMs; this.#up === before; await sleep(10))
      if (performance.now() > end || (this.#child === undefined && this.#options.restartAfterMs === undefined))
        throw new Error(`the server did not come up; see ${this.#options.log}`);
  }

  /** Ends it for good: with SIGTERM, in the end with SIGKILL. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    const patience = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(patience);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Memory in use and open descriptors; `undefined` while it is down. */
  gauges(): { readonly rssMb: number; readonly descriptors: number } | undefined {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
      const kib = Number(/^VmRSS:\s+([0-9]+)/m.exec(status)?.[1]);
      return { rssMb: kib / 1024, descriptors: readdirSync(`/proc/${this.pid}/fd`).length };
    } catch {
      return undefined;
    }
  }

  #spawn(): void {
    const { site, state, env, restartAfterMs, onExit } = this.#options;
    const [program, ...args] = [...ON_SERVER, PROGRAM, 'serve', '--site', site, '--state', state, '--log', 'json'];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.#child = child;
    this.#starts++;
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#log.write(text);
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#hear(line);
      });
    }
    child.once('exit', (code, signal) => {
      if (this.#child === child) this.#child = undefined;
      const how = signal ?? `exit code ${code}`;
      this.#log.write(`-- the server ended: ${how}\n`);
      onExit?.(how, this.#stopping);
      if (!this.#stopping && restartAfterMs !== undefined)
        this.#restart = setTimeout(() => this.#spawn(), restartAfterMs);
    });
  }

  #hear(line: string): void {
    const event = eventOf(line);
    if (event.kind === 'server.started') this.#up++;
    this.#options.onEvent?.(event);
  }
}

function eventOf(line: string): LoggedEvent {
  if (!line.startsWith('{')) return { kind: 'output', line };
  try {
    return JSON.parse(line) as LoggedEvent;
  } catch {
    return { kind: 'output', line };
  }
}
