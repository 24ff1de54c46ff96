import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** Lines that wait for a slow reader; beyond them the log says how many it left out. */
const MOST_WAITING_BYTES = 1024 * 1024;

/** Where the lines of a log go. */
export type LogOutput = {
  /** Bytes that have not left yet. */
  readonly waiting: number;
  /** False if the text was not taken, now or ever. Never throws. */
  write(text: string): boolean;
};

/**
 * A log of lines that never holds up who writes it: the lines of one turn of the event loop leave in one write, and while
 * the reader is behind, or its disk is full, lines are counted instead of kept.
 */
export function openLineLog(out: LogOutput): { write(line: () => string): void; flush(): void } {
  let lines: string[] = [];
  let left = 0;

  const flush = (): void => {
    if (lines.length === 0) return;
    const written = lines;
    lines = [];
    const notice = left > 0 ? `(${left} lines left out: this log takes them too slowly, or not at all)\n` : '';
    if (out.write(`${notice}${written.join('\n')}\n`)) left = 0;
    else left += written.length;
  };

  return {
    write(line) {
      if (out.waiting > MOST_WAITING_BYTES) {
        left++;
        return;
      }
      if (lines.length === 0) setImmediate(flush);
      lines.push(line());
    },
    flush,
  };
}

/**
 * Standard output as an output of a log that outlives its reader: while the disk is full, lines are lost; once the reader has gone,
 * all further lines are; neither ends the program.
 */
export function standardOutput(stream: Writable & { readonly fd: number }): LogOutput {
  if (fstatSync(stream.fd).isFile()) return { waiting: 0, write: (text) => writeWhole(stream.fd, text) };
  let gone = false;
  stream.on('error', () => {
    gone = true;
  });
  return {
    get waiting() {
      return stream.writableLength;
    },
    write(text) {
      if (!gone) stream.write(text);
      return !gone;
    },
  };
}

/** Ends a command whose reader has seen enough (`reveille watch | head`), which is no error, or whose output has no room. */
export function endUnread(error: NodeJS.ErrnoException): void {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
}

/** A stream over a file is of no use after its first error; a descriptor is. */
function writeWhole(fd: number, text: string): boolean {
  try {
    let rest = Buffer.from(text);
    while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest));
    return true;
  } catch {
    return false;
  }
}
