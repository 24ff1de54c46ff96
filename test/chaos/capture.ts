import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readUdpFrame, type UdpFrame } from '../rig/frames.ts';

/** A datagram and when the kernel saw it, milliseconds since the epoch. */
export type Captured = { readonly at: number; readonly datagram: UdpFrame };

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
/** pcap(5), written on this machine: microseconds, or nanoseconds. */
const MICROSECONDS = 0xa1b2c3d4;
const LOOK_MS = 20;

/** What tcpdump records on an interface, read while it grows. The file is evidence afterwards. */
export class Capture {
  readonly file: string;
  readonly #child: ChildProcess;
  readonly #onDatagram: (captured: Captured) => void;
  readonly #look: NodeJS.Timeout;
  #fd: number | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #sawHeader = false;
  #position = 0;

  static async start(interfaceName: string, file: string, onDatagram: (captured: Captured) => void): Promise<Capture> {
    const args = ['-B', '16384', '-s', '600', '-U', '--immediate-mode', '-w', file, '-i', interfaceName];
    const child = spawn('tcpdump', [...args, 'udp port 67 or udp port 68'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.on('data', (text) => {
      output += text;
    });
    for (let i = 0; !output.includes('listening on'); i++) {
      if (i > 500 || child.exitCode !== null) throw new Error(`tcpdump does not listen: ${output}`);
      await sleep(20);
    }
    return new Capture(child, file, onDatagram);
  }

  private constructor(child: ChildProcess, file: string, onDatagram: (captured: Captured) => void) {
    this.#child = child;
    this.file = file;
    this.#onDatagram = onDatagram;
    this.#look = setInterval(() => this.#read(), LOOK_MS);
  }

  /** Ends the recording; all of it has been handed over then. */
  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    await ended;
    clearInterval(this.#look);
    this.#read();
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  #read(): void {
    if (this.#fd === undefined) {
      if (!existsSync(this.file)) return;
      this.#fd = openSync(this.file, 'r');
    }
    const piece = Buffer.alloc(1 << 20);
    for (let length = -1; length !== 0; ) {
      length = readSync(this.#fd, piece, 0, piece.length, this.#position);
      this.#position += length;
      this.#take(Buffer.concat([this.#rest, piece.subarray(0, length)]));
    }
  }

  #take(bytes: Buffer): void {
    let at = 0;
    if (!this.#sawHeader) {
      if (bytes.length < FILE_HEADER) {
        this.#rest = bytes;
        return;
      }
      if (bytes.readUInt32LE(0) !== MICROSECONDS)
        throw new Error(`${this.file} is no capture of this machine's tcpdump`);
      this.#sawHeader = true;
      at = FILE_HEADER;
    }
    while (at + RECORD_HEADER <= bytes.length) {
      const end = at + RECORD_HEADER + bytes.readUInt32LE(at + 8);
      if (end > bytes.length) break;
      const datagram = readUdpFrame(Buffer.from(bytes.subarray(at + RECORD_HEADER, end)));
      if (datagram)
        this.#onDatagram({ at: bytes.readUInt32LE(at) * 1000 + bytes.readUInt32LE(at + 4) / 1000, datagram });
      at = end;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }
}
