import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addMachine, ON_SERVER } from '../rig/network.ts';
import { OF_OTHERS } from './secrets.ts';
import { BIG, CLIENT_NODES, type FuzzSite, HELLO } from './site.ts';

/** A program of a real client; `seconds` at most. */
type Ran = { readonly ok: boolean; readonly output: string; readonly ms: number };

/** What one kind of client saw: the times of its right answers (ms), and what was wrong. */
export type Seen = { readonly times: number[]; wrong: number };

/** A client that gets no right answer within this time has failed. */
const PATIENCE_S = 15;
/** A server that has nothing to do with ours: what it takes to answer is the machine's doing. */
export const REFERENCE = 'reference';
const REFERENCE_PORT = 8099;
/** No machine boots more often, and the server renders a bundle no more often for one. */
const BUNDLE_EVERY_MS = 10_000;
const AS_FIRMWARE = ['-V', 'PXEClient:Arch:00007:UNDI:003016', '-x', '0x5d:0007'];

/** Known machines with real clients, which go on booting while the fuzzers are at work. */
export class RealClients {
  readonly seen = new Map<string, Seen>();
  readonly #site: FuzzSite;
  readonly #folder: string;
  readonly #wrong: (client: string, words: string) => void;
  #reference: ChildProcess | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #looking = 0;
  #looked = 0;

  /** Puts the machines on the wire. `wrong` hears of each answer that is wrong or late. */
  constructor(site: FuzzSite, folder: string, wrong: (client: string, words: string) => void) {
    this.#site = site;
    this.#folder = folder;
    this.#wrong = wrong;
    addMachine('firmware', CLIENT_NODES.firmware.mac);
    addMachine('files', CLIENT_NODES.files.mac, `${CLIENT_NODES.files.ip}/12`);
    addMachine('pool', CLIENT_NODES.pool.mac);
    writeFileSync(join(folder, 'script'), '#!/bin/sh\n[ "$1" != bound ] || echo "bound $ip"\n');
    chmodSync(join(folder, 'script'), 0o755);
  }

  /** Starts the clients, and beside them the server that they are compared with. */
  start(): void {
    this.#stopped = false;
    const { firmware, files } = CLIENT_NODES;
    let bundleAt = Number.NEGATIVE_INFINITY;
    this.#reference ??= startReference();
    this.#running = Promise.all([
      this.#again(async () => {
        const ran = await on('files', 'curl', ...CURL, `http://10.0.0.2:${REFERENCE_PORT}/`);
        if (ran.ok) this.#count(REFERENCE, true, Number(ran.output.split(' ').at(-1)) * 1000, '');
      }),
      this.#again(() => this.#lease('firmware', `bound ${firmware.ip}\n`)),
      this.#again(() => this.#lease('pool', 'bound 10.0.2.')),
      this.#again(async () => {
        await this.#lease('files', `bound ${files.ip}\n`, AS_FIRMWARE);
        await this.#http('script', `/boot/ipxe/${files.mac}`, (got) => got.includes(this.#site.image));
        await this.#http('initrd', `/boot/images/${this.#site.image}/initrd`, (got) => got.equals(this.#site.initrd));
        await this.#http('file', '/boot/files/hello.txt', (got) => got.toString() === HELLO);
        if (performance.now() - bundleAt > BUNDLE_EVERY_MS) {
          bundleAt = performance.now();
          await this.#http('bundle', `/node/v1/bundle?mac=${files.mac}&token=want`, (got) =>
            got.includes(OF_OTHERS.text),
          );
        }
        await this.#tftp('hello.txt', Buffer.from(HELLO));
        await this.#tftp('big.bin', BIG);
      }),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** What clients wait meanwhile is not counted: looking into the server stops it. */
  async untimed<T>(look: () => Promise<T>): Promise<T> {
    this.#looking++;
    try {
      return await look();
    } finally {
      this.#looking--;
      this.#looked = performance.now();
    }
  }

  close(): void {
    this.#reference?.kill('SIGKILL');
  }

  async #again(once: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      await once();
      await sleep(200);
    }
  }

  async #lease(machine: string, expected: string, more: readonly string[] = []): Promise<void> {
    const script = join(this.#folder, 'script');
    const ran = await on(
      machine,
      'udhcpc',
      '-f',
      '-n',
      '-q',
      '-i',
      'eth0',
      '-t',
      '10',
      '-T',
      '1',
      '-s',
      script,
      ...more,
    );
    this.#count(`udhcpc ${machine}`, ran.output.includes(expected), ran.ms, ran.output);
  }

  async #http(what: string, path: string, isRight: (got: Buffer) => boolean): Promise<void> {
    const into = join(this.#folder, 'http');
    rmSync(into, { force: true });
    const url = `http://10.0.0.2:8080${path}`;
    const ran = await on('files', 'curl', ...CURL, '-o', into, url);
    const [code, seconds] = ran.output.split(' ');
    const got = contentOf(into);
    this.#count(
      `curl ${what}`,
      code === '200' && isRight(got),
      Number(seconds) * 1000,
      `${ran.output}\n${got.toString('latin1', 0, 300)}`,
    );
  }

  async #tftp(name: string, expected: Buffer): Promise<void> {
    const into = join(this.#folder, 'tftp');
    rmSync(into, { force: true });
    const ran = await on('files', 'tftp', '-m', 'binary', '10.0.0.2', '-c', 'get', name, into);
    const got = contentOf(into);
    this.#count(
      `tftp ${name}`,
      got.equals(expected),
      ran.ms,
      `${ran.output}\n${got.length} bytes of ${expected.length}`,
    );
  }

  #count(client: string, isRight: boolean, ms: number, words: string): void {
    if (this.#stopped) return;
    const seen = this.seen.get(client) ?? { times: [], wrong: 0 };
    this.seen.set(client, seen);
    const isTimed = this.#looking === 0 && this.#looked < performance.now() - ms;
    if (isRight && isTimed) seen.times.push(ms);
    else if (!isRight) {
      seen.wrong++;
      this.#wrong(client, words);
    }
  }
}

const CURL = ['-sS', '--noproxy', '*', '--max-time', `${PATIENCE_S}`, '-w', '%{http_code} %{time_total}'];

function startReference(): ChildProcess {
  const [program, ...args] = [...ON_SERVER, process.execPath];
  const code = `require('node:http').createServer((_, response) => response.end('here ')).listen(${REFERENCE_PORT})`;
  return spawn(program, [...args, '-e', code], { stdio: 'ignore' });
}

function on(machine: string, program: string, ...args: string[]): Promise<Ran> {
  const since = performance.now();
  const inside = ['netns', 'exec', machine, 'timeout', `${PATIENCE_S}`, program, ...args];
  return new Promise((resolve) => {
    execFile('ip', inside, (error, out, err) => {
      resolve({ ok: !error, output: `${out}${err}`, ms: performance.now() - since });
    });
  });
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

/** The time within which this part (0 to 1) of them stayed; 0 for none. */
export function percentile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
