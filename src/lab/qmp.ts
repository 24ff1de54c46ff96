import type { Readable, Writable } from 'node:stream';
import { ReveilleError } from '../errors.ts';

/** QEMU's monitor: one command at a time, each settled by its answer. */
export type Monitor = {
  /** Settles once QEMU has started, or fails if it does not. */
  readonly ready: Promise<void>;
  run(command: 'system_reset' | 'quit'): Promise<void>;
};

/** Speaks QMP over QEMU's standard input and output. Commands fail with LAB_FAILED once QEMU has ended. */
export function openMonitor(input: Writable, output: Readable): Monitor {
  const waiting: ((answer: { error?: { desc: string } } | undefined) => void)[] = [];
  let gone = false;
  let rest = '';

  const ask = (execute: string) =>
    new Promise<void>((resolve, reject) => {
      if (gone) return reject(ended(execute));
      waiting.push((answer) => {
        if (answer === undefined) reject(ended(execute));
        else if (answer.error) reject(new ReveilleError('LAB_FAILED', `QEMU refused ${execute}: ${answer.error.desc}`));
        else resolve();
      });
      input.write(`${JSON.stringify({ execute })}\n`);
    });

  output.setEncoding('utf8');
  output.on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      const message = JSON.parse(line) as { return?: unknown; error?: { desc: string } };
      if ('return' in message || 'error' in message) waiting.shift()?.(message);
    }
  });
  output.on('close', () => {
    gone = true;
    for (const settle of waiting.splice(0)) settle(undefined);
  });
  input.on('error', () => {});

  const ready = ask('qmp_capabilities');
  ready.catch(() => {});
  return {
    ready,
    run: async (command) => {
      await ready;
      await ask(command);
    },
  };
}

function ended(command: string): ReveilleError {
  return new ReveilleError('LAB_FAILED', `QEMU ended before it answered ${command}`);
}
