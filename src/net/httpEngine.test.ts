import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

test('the engine for HTTP touches nothing that is not its own, whatever clients send (ASan, UBSan)', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-http-fuzz-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'http');
  const sources = ['test/fuzz/native/http.c', 'native/http.c', 'native/http_head.c'].map((file) => join(ROOT, file));
  const checks = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-Wall', '-Wextra', '-Werror'];
  await run('gcc', ['-std=gnu17', '-g', '-O1', ...checks, '-o', program, ...sources]);
  const seed = Math.floor(Math.random() * 1e9);
  const { stdout } = await run(program, ['4', String(seed)]).catch(({ stdout, stderr }) =>
    assert.fail(`${stdout}${stderr}`),
  );
  assert.match(stdout, /requests \d{3,}/);
});
