import type { Writable } from 'node:stream';

/** Lines that wait for a slow reader; beyond them the log says how many it left out. */
const MOST_WAITING_BYTES = 1024 * 1024;

/**
 * A log of lines that never holds up who writes it: the lines of one turn of the event loop leave in one write, and while
 * the reader is behind, lines are counted instead of kept.
 */
export function openLineLog(out: Writable): { write(line: () => string): void; flush(): void } {
  let lines: string[] = [];
  let left = 0;

  const flush = (): void => {
    if (lines.length === 0) return;
    const text = `${lines.join('\n')}\n`;
    lines = [];
    out.write(text);
  };

  return {
    write(line) {
      if (out.writableLength > MOST_WAITING_BYTES) {
        left++;
        return;
      }
      if (lines.length === 0) setImmediate(flush);
      if (left > 0) lines.push(`(${left} lines left out: whoever reads this log is too slow)`);
      left = 0;
      lines.push(line());
    },
    flush,
  };
}
