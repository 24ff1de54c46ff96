/** Runs every benchmark, each where it has to run: those with traffic in namespaces, the image build outside. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const here = import.meta.dirname;
const isolated = join(here, '../test/isolated');
const failed: string[] = [];

for (const [name, wrapper] of [
  ['dhcp', [isolated]],
  ['tftp', [isolated]],
  ['http', [isolated]],
  ['site', []],
  ['edit', []],
  ['image', []],
] as const) {
  console.log(`\n== ${name} ==`);
  const [program = '', ...args] = [...wrapper, process.execPath, join(here, `${name}.ts`)];
  if (spawnSync(program, args, { stdio: 'inherit' }).status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
