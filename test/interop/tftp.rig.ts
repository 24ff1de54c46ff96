import { execFileSync, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';

/** The server's two addresses, the lossy way to the first of them, and the client's namespace. */
export const SERVER = '10.9.0.1';
export const SECOND = '10.9.0.2';
export const LOSSY = '10.9.0.3';
export const CLIENT = '10.9.0.9';
export const NAMESPACE = 'tftp-client';

/** Lays a veth wire from this namespace to a new one for clients; `prefix` is the length of their network's. */
export function layWire(prefix = 24): void {
  if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this as: test/isolated node --test FILE');
  for (const tool of ['tftp', 'atftp', 'busybox', 'curl', 'ip']) execFileSync('which', [tool]);
  ip('netns', 'add', NAMESPACE);
  ip('link', 'add', 'server0', 'type', 'veth', 'peer', 'name', 'client0', 'netns', NAMESPACE);
  for (const address of [SERVER, SECOND, LOSSY]) ip('addr', 'add', `${address}/${prefix}`, 'dev', 'server0');
  ip('link', 'set', 'server0', 'up');
  ip('-n', NAMESPACE, 'addr', 'add', `${CLIENT}/${prefix}`, 'dev', 'client0');
  ip('-n', NAMESPACE, 'link', 'set', 'client0', 'up');
}

/** Takes the wire and the clients' namespace away, for the tests that come after in the same namespace. */
export function removeWire(): void {
  ip('link', 'del', 'server0');
  ip('netns', 'del', NAMESPACE);
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

export type Ran = { code: number | null; output: string };

/** Runs a program in the clients' namespace; it is ended after `seconds`. */
export async function asClient(cwd: string, seconds: number, program: string, ...args: string[]): Promise<Ran> {
  const child = spawn('ip', ['netns', 'exec', NAMESPACE, 'timeout', `${seconds}`, program, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  return { code, output };
}

type Session = { face: dgram.Socket; back: dgram.Socket; transferPort: number };

/**
 * A wire that loses and repeats packets: a relay on `LOSSY` port 69 to `SERVER` port 69 that keeps each transfer's ports
 * apart. It needs no packet scheduler of the kernel's, and the same seed gives the same sequence of fates.
 */
export class LossyWire {
  readonly #lose: number;
  readonly #repeat: number;
  readonly #sessions = new Map<number, Session>();
  #listening: dgram.Socket | undefined;
  #seed = 20_11;
  lost = 0;
  repeated = 0;
  passed = 0;

  /** `lose` and `repeat` are chances from 0 to 1 for each packet in each direction. */
  constructor(lose: number, repeat: number) {
    this.#lose = lose;
    this.#repeat = repeat;
  }

  async open(): Promise<void> {
    this.#listening = await bound(LOSSY, 69);
    this.#listening.on('message', async (bytes, from) => {
      const session = this.#sessions.get(from.port) ?? (await this.#begin(from.port));
      this.#pass(session.back, bytes, session.transferPort, SERVER);
    });
  }

  close(): void {
    this.#listening?.close();
    for (const { face, back } of this.#sessions.values()) {
      face.close();
      back.close();
    }
  }

  async #begin(clientPort: number): Promise<Session> {
    const session: Session = { face: await bound(LOSSY, 0), back: await bound(LOSSY, 0), transferPort: 69 };
    this.#sessions.set(clientPort, session);
    session.back.on('message', (bytes, from) => {
      session.transferPort = from.port;
      this.#pass(session.face, bytes, clientPort, CLIENT);
    });
    session.face.on('message', (bytes) => this.#pass(session.back, bytes, session.transferPort, SERVER));
    return session;
  }

  #pass(through: dgram.Socket, bytes: Uint8Array, port: number, address: string): void {
    const fate = this.#random();
    if (fate < this.#lose) {
      this.lost++;
      return;
    }
    this.passed++;
    through.send(bytes, port, address);
    if (fate > 1 - this.#repeat) {
      this.repeated++;
      through.send(bytes, port, address);
    }
  }

  /** A linear congruential generator: the upper bits of its state. */
  #random(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  }
}

async function bound(address: string, port: number): Promise<dgram.Socket> {
  const socket = dgram.createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}
