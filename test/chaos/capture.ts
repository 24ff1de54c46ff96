import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { readUdpFrame, type UdpFrame } from '../rig/frames.ts';
import { FILE_HEADER, readRecords } from './pcap.ts';

/** A datagram and when it was seen, milliseconds since the epoch. */
export type Captured = { readonly at: number; readonly datagram: UdpFrame };

const LOOK_MS = 20;

/** What the recorder writes down about an interface, read while it grows. The file is evidence afterwards. */
export class Capture {
  readonly file: string;
  readonly #child: ChildProcess;
  readonly #onDatagram: (captured: Captured) => void;
  readonly #look: NodeJS.Timeout;
  readonly #fd: number;
  #rest: Buffer = Buffer.alloc(0);
  #position = FILE_HEADER;

  static async start(interfaceName: string, file: string, onDatagram: (captured: Captured) => void): Promise<Capture> {
    const recorder = join(import.meta.dirname, 'recorder.ts');
    const child = spawn(process.execPath, [recorder, interfaceName, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [output] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    if (!String(output).includes('listening')) throw new Error(`the recorder does not listen on ${interfaceName}`);
    return new Capture(child, file, onDatagram);
  }

  private constructor(child: ChildProcess, file: string, onDatagram: (captured: Captured) => void) {
    this.#child = child;
    this.file = file;
    this.#onDatagram = onDatagram;
    this.#fd = openSync(file, 'r');
    this.#look = setInterval(() => this.#read(), LOOK_MS);
  }

  /** Ends the recording; all of it has been handed over then. */
  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
    clearInterval(this.#look);
    this.#read();
    closeSync(this.#fd);
  }

  #read(): void {
    const piece = Buffer.alloc(1 << 20);
    for (let length = -1; length !== 0; ) {
      length = readSync(this.#fd, piece, 0, piece.length, this.#position);
      this.#position += length;
      const bytes = Buffer.concat([this.#rest, piece.subarray(0, length)]);
      const { records, used } = readRecords(bytes);
      this.#rest = Buffer.from(bytes.subarray(used));
      for (const { at, frame } of records) {
        const datagram = readUdpFrame(frame);
        if (datagram) this.#onDatagram({ at, datagram });
      }
    }
  }
}
