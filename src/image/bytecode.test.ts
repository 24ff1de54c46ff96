import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SETTLE_BYTECODE } from './bytecode.ts';

const EPOCH = 1_700_000_000;
const CHECKED = 'CHECKED_HASH';
const UNCHECKED = 'UNCHECKED_HASH';
const TIMES = 'TIMESTAMP';

/** Modules by name: when the source was written, how its bytecode proves that it fits, and whether the source changed since. */
const MODULES = {
  old_sum: { mtime: EPOCH - 86_400, mode: CHECKED },
  new_sum: { mtime: EPOCH + 86_400, mode: CHECKED },
  old_time: { mtime: EPOCH - 86_400, mode: TIMES },
  new_time: { mtime: EPOCH + 86_400, mode: TIMES },
  trusted: { mtime: EPOCH + 86_400, mode: UNCHECKED },
  stale_sum: { mtime: EPOCH + 86_400, mode: CHECKED, changed: true },
  stale_time: { mtime: EPOCH - 86_400, mode: TIMES, changed: true },
} as const;

const COMPILE = `
import py_compile, sys
for mode, path in zip(sys.argv[1::2], sys.argv[2::2]):
    py_compile.compile(path, invalidation_mode=py_compile.PycInvalidationMode[mode], doraise=True)
`;

function inRoot(use: (folder: string, settle: () => void) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'root-'));
  const folder = join(root, 'usr/lib/python3/dist-packages');
  mkdirSync(join(folder, '__pycache__'), { recursive: true });
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(EPOCH) };
  try {
    use(folder, () => execFileSync('python3', ['-BIS', '-c', SETTLE_BYTECODE], { cwd: root, env }));
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('bytecode that fits its source still does when times are cut off, and reads no source', () => {
  inRoot((folder, settle) => {
    const source = (name: string) => join(folder, `${name}.py`);
    const modules = Object.entries(MODULES);
    for (const [name, { mtime }] of modules) {
      writeFileSync(source(name), `name = '${name}'\n`);
      utimesSync(source(name), mtime, mtime);
    }
    execFileSync('python3', ['-c', COMPILE, ...modules.flatMap(([name, { mode }]) => [mode, source(name)])]);
    for (const [name, about] of modules) {
      if ('changed' in about) writeFileSync(source(name), `name = 'another ${name}'\n`);
    }
    settle();
    for (const [name] of modules) {
      const mtime = Math.min(statSync(source(name)).mtimeMs / 1000, EPOCH);
      utimesSync(source(name), mtime, mtime);
    }

    const printed = execFileSync(
      'python3',
      ['-B', '-c', `${modules.map(([name]) => `import ${name}; print(${name}.name)`).join('; ')}`],
      { env: { ...process.env, PYTHONPATH: folder }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
    assert.deepEqual(
      printed.trim().split('\n'),
      modules.map(([name, about]) => ('changed' in about ? `another ${name}` : name)),
    );
    const flags = Object.fromEntries(
      readdirSync(join(folder, '__pycache__')).map((file) => [
        file.split('.')[0],
        readFileSync(join(folder, '__pycache__', file)).readUInt32LE(4),
      ]),
    );
    assert.deepEqual(flags, {
      old_sum: 0,
      new_sum: 0,
      old_time: 0,
      new_time: 0,
      trusted: 1,
      stale_sum: 3,
      stale_time: 0,
    });
    const noted = readFileSync(
      join(
        folder,
        '__pycache__',
        readdirSync(join(folder, '__pycache__')).find((file) => /^new_time\./.test(file)) ?? '',
      ),
    );
    assert.equal(noted.readUInt32LE(8), EPOCH);
  });
});

test('what only looks like bytecode is passed over', () => {
  inRoot((folder, settle) => {
    const cached = join(folder, '__pycache__');
    const strange = {
      'empty.cpython-311.pyc': '',
      'short.cpython-311.pyc': 'abc',
      'none.pyc': 'x'.repeat(99),
      notes: 'x',
    };
    for (const [name, text] of Object.entries(strange)) writeFileSync(join(cached, name), text);
    mkdirSync(join(cached, 'folder.cpython-311.pyc'));
    settle();
    for (const [name, text] of Object.entries(strange)) assert.equal(readFileSync(join(cached, name), 'utf8'), text);
  });
});
