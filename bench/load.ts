import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** The load generators of `bench/load`, each one C file. */
export type LoadProgram = 'http' | 'offers' | 'tftp';

/** The path of a load generator; it is compiled in a fraction of a second, once for each state of its source. */
export function loadProgram(name: LoadProgram): string {
  const source = join(import.meta.dirname, 'load', `${name}.c`);
  const sha256 = createHash('sha256').update(readFileSync(source)).digest('hex');
  const folder = join(cacheFolder(), 'bench');
  const program = join(folder, `${name}-${sha256.slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const made = `${program}.${process.pid}`;
  execFileSync('gcc', ['-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror', '-o', made, source], { stdio: 'inherit' });
  renameSync(made, program);
  return program;
}

/** Where downloads and what was compiled are kept between runs. */
export function cacheFolder(): string {
  return execFileSync(join(import.meta.dirname, '../setup/cache'), { encoding: 'utf8' }).trim();
}
