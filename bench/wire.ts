import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The two ends of a veth pair: the server in this namespace, the load generator in one of its own. */
export type Wire = { readonly server: string; readonly client: readonly string[] };

/** Makes the wire; only in a namespace made for it by `test/isolated`. `subnet` is the first two octets of a /16. */
export function layWire(octets: string): Wire {
  if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this through test/isolated');
  const ip = (...args: string[]) => execFileSync('ip', args);
  ip('netns', 'add', 'load');
  ip('link', 'add', 's0', 'type', 'veth', 'peer', 'name', 'c0', 'netns', 'load');
  ip('addr', 'add', `${octets}.0.1/16`, 'dev', 's0');
  ip('link', 'set', 's0', 'up');
  ip('-n', 'load', 'addr', 'add', `${octets}.0.2/16`, 'dev', 'c0');
  ip('-n', 'load', 'link', 'set', 'c0', 'up');
  ip('-n', 'load', 'link', 'set', 'lo', 'up');
  return { server: 's0', client: ['ip', 'netns', 'exec', 'load'] };
}

/** Runs `use` with a server process that is stopped, and a folder that is removed, afterwards. */
export async function withServer<T>(
  command: readonly [string, ...string[]],
  env: Record<string, string>,
  isUp: () => Promise<boolean>,
  use: () => Promise<T>,
): Promise<T> {
  const [program, ...args] = command;
  const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  try {
    for (let tries = 0; !(await isUp()); tries++) {
      if (tries > 100 || server.exitCode !== null) throw new Error(`${program} did not come up`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await use();
  } finally {
    server.kill();
    await ended;
  }
}

/** A scratch folder that lives as long as `use`. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
