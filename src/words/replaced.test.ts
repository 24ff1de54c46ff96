import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const SRC = join(import.meta.dirname, '..');
/** The edge: what prints, logs, answers programs, or puts its reasons into the packets that it sends. */
const EDGE = /^(words|cli|log|http|dhcp)\//;

test('no decision asks for words: only the edge imports this room', () => {
  const importers = globSync('**/*.ts', { cwd: SRC }).filter((file) => {
    if (/\.test\.ts$|\/testing\//.test(file)) return false;
    const paths = [...readFileSync(join(SRC, file), 'utf8').matchAll(/ from '(\.[^']+)'/g)];
    return paths.some(([, path = '']) => normalize(join(dirname(file), path)).startsWith('words/'));
  });
  assert.deepEqual(
    importers.filter((file) => !EDGE.test(file)),
    [],
  );
});

test('every test of a decision passes with all words replaced by others', () => {
  const tests = globSync(['timeline/*.test.ts', 'roll/*.test.ts', 'cloud/*.test.ts', 'image/inUse.test.ts'], {
    cwd: SRC,
  });
  assert.ok(tests.length > 15);
  const hook = join(import.meta.dirname, 'testing/replacedFixture.ts');
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = (args: readonly string[]) =>
    spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', hook, ...args], {
      cwd: SRC,
      env,
      encoding: 'utf8',
    });
  const proof = "import { formatMs } from './words/units.ts'; console.log(formatMs(12));";
  assert.equal(run(['--input-type=module', '-e', proof]).stdout, 'x\n', 'they are replaced');
  const { status, stdout } = run(['--test', ...tests]);
  assert.equal(status, 0, stdout.slice(-4000));
});
