import { spawn } from 'node:child_process';
import { open, readFile, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { type Accelerator, findAccelerator } from '../../accelerator.ts';
import { ReveilleError } from '../../errors.ts';
import type { DiskReader } from './reader.ts';

export type GuestOrder = {
  readonly disk: string;
  /** QEMU's word for the format of the disk's file. */
  readonly format: string;
  readonly reader: DiskReader;
  /** Where the tar goes, and the guest's console. */
  readonly to: string;
  readonly console: string;
};

/** The running guest that reads a disk. Its words are described in `init`. */
export type Guest = {
  /** The lines that it says before the line `last`. */
  linesUntil(last: string): Promise<readonly string[]>;
  send(line: string): void;
  /** Waits until the tar is whole. `onBytes` hears how much of how much is there. */
  finished(onBytes: (done: number, of: number) => void): Promise<void>;
  /** Ends it, whatever it does. */
  close(): Promise<void>;
};

/** QEMU's command line for the guest. The drive is a temporary copy on write: the disk's file is opened to be read. */
export function guestCommand(order: GuestOrder, accelerator: Accelerator): readonly string[] {
  const file = (path: string) => path.replaceAll(',', ',,');
  return [
    'qemu-system-x86_64',
    ...['-name', 'disk-reader', '-nodefaults', '-no-user-config', '-display', 'none', '-machine', 'pc,graphics=off'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...(accelerator === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg', '-cpu', 'max']),
    ...['-m', '512', '-no-reboot', '-kernel', order.reader.kernel, '-initrd', order.reader.initrd],
    ...['-append', 'console=ttyS0 quiet no_timer_check panic=-1'],
    ...['-chardev', `file,id=console,path=${file(order.console)}`, '-serial', 'chardev:console'],
    ...['-drive', `if=none,id=disk,snapshot=on,format=${order.format},file=${file(order.disk)}`],
    ...['-device', 'virtio-blk-pci,drive=disk', '-device', 'virtio-serial-pci'],
    ...['-chardev', 'stdio,id=words,signal=off', '-device', 'virtserialport,nr=1,chardev=words'],
    ...['-chardev', `file,id=tar,path=${file(order.to)}`, '-device', 'virtserialport,nr=2,chardev=tar'],
  ];
}

/** A guest that says nothing, and writes nothing, for so long has come to grief. */
const PATIENCE_MS = 180_000;
const MOST_LINES = 10_000;
const LONGEST_LINE = 200_000;

/** Starts the guest. Throws TOOL_MISSING; everything else is thrown by what waits for its words. */
export async function startGuest(order: GuestOrder): Promise<Guest> {
  const [program = '', ...args] = guestCommand(order, await findAccelerator());
  const qemu = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const complaints: string[] = [];
  qemu.stderr.setEncoding('utf8').on('data', (text: string) => complaints.push(text.slice(0, 4000)));
  qemu.stdin.on('error', () => {});
  const closed = new Promise<void>((resolve, reject) => {
    qemu.once('close', () => resolve());
    qemu.once('error', (cause) =>
      reject(
        new ReveilleError('TOOL_MISSING', `${program} does not start: ${cause.message}`, {
          hint: 'run: apt-get install qemu-system-x86',
          cause,
        }),
      ),
    );
  });
  closed.catch(() => {});
  const lines = createInterface({ input: qemu.stdout })[Symbol.asyncIterator]();

  /** The next line; the guest may be silent as long as its tar grows. */
  const next = async (onWait: () => Promise<unknown>): Promise<string> => {
    const line = lines.next();
    for (let [last, since] = [undefined as unknown, Date.now()]; ; ) {
      const tick = new Promise<'tick'>((resolve) => setTimeout(resolve, 500, 'tick').unref());
      const got = await Promise.race([line, tick]);
      if (got !== 'tick') {
        if (got.done !== true && got.value.length <= LONGEST_LINE) return got.value;
        await closed;
        throw await failure(order, complaints.join(''));
      }
      const now = await onWait();
      if (now !== last) [last, since] = [now, Date.now()];
      else if (Date.now() - since > PATIENCE_MS) throw await failure(order, 'it has come to a halt');
    }
  };

  return {
    linesUntil: async (last) => {
      const printed: string[] = [];
      for (let line = await next(async () => 0); line !== last; line = await next(async () => 0)) {
        printed.push(line);
        if (printed.length > MOST_LINES) throw await failure(order, 'it prints too many lines');
      }
      return printed;
    },
    send: (line) => void qemu.stdin.write(`${line}\n`),
    finished: async (onBytes) => {
      let total = 0;
      const size = async () => (await stat(order.to).catch(() => ({ size: 0 }))).size;
      for (;;) {
        const line = await next(async () => {
          const done = await size();
          onBytes(done, total);
          return done;
        });
        const [word, value = ''] = line.split(/ (.*)/s);
        if (word === 'total') total = Number(value) * 1024;
        if (word === 'failed') throw await failure(order, `${value} cannot be mounted`);
        if (word === 'done' && value !== '0') throw await failure(order, `tar ends with ${value}`);
        if (word === 'done') break;
      }
      await closed;
      await checkWhole(order.to);
    },
    close: async () => {
      qemu.kill('SIGKILL');
      await closed.catch(() => {});
    },
  };
}

/** A tar ends in two blocks of zeros: a disk that was full on the way is noticed here. */
async function checkWhole(path: string): Promise<void> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const end = Buffer.alloc(1024, 1);
    if (size >= end.length) await file.read(end, 0, end.length, size - end.length);
    if (end.every((byte) => byte === 0)) return;
    throw new ReveilleError('IMAGE_BUILD_FAILED', 'the disk was not read to its end', {
      hint: 'is the disk of the cache full? --cache names another folder',
    });
  } finally {
    await file.close();
  }
}

async function failure(order: GuestOrder, why: string): Promise<ReveilleError> {
  if (/Failed to get .*\block\b/.test(why)) {
    return new ReveilleError('IMAGE_BUILD_FAILED', `${order.disk} is in use: a machine runs from it`, {
      hint: 'switch the machine off, or build from a copy of its disk',
    });
  }
  const console = await readFile(order.console, 'latin1').catch(() => '');
  const last = console
    .replace(/[^\n\x20-\x7e]/g, '')
    .trimEnd()
    .split('\n')
    .slice(-8)
    .join('\n');
  return new ReveilleError('IMAGE_BUILD_FAILED', `${order.disk} cannot be read: ${why.trim()}\n${last}`.trimEnd());
}
