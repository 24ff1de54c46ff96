import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

// The program as an operator starts it.

export const PROGRAM = join(import.meta.dirname, '../../bin/reveille');

/** Starts the real server and waits until it answers. */
export async function serveProgram(site: string, state: string): Promise<ChildProcess> {
  const server = spawn(PROGRAM, ['serve', '--site', site, '--state', state, '--keep-privileges'], { stdio: 'ignore' });
  await untilTrue(
    async () => JSON.parse((await runProgram('status', '--site', site, '--state', state, '--json')).text).live === true,
  );
  return server;
}

/** Runs a command of the program to its end; `text` is all that it printed. */
export function runProgram(...args: string[]): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile(PROGRAM, args, { env: { ...process.env, NO_COLOR: '1' } }, (error, out, said) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, text: `${out}${said}` });
    });
  });
}

/** Waits until something holds, at most so many seconds; what it throws counts as not yet. */
export async function untilTrue(holds: () => Promise<boolean>, seconds = 30): Promise<void> {
  for (let i = 0; i < seconds * 5; i++) {
    if (await holds().catch(() => false)) return;
    await delay(200);
  }
  throw new Error(`it never held: ${holds}`);
}
