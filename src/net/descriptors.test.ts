import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { shareDescriptors } from './descriptors.ts';

test('the limit is that of the process', () => {
  const script = `import('${import.meta.dirname}/descriptors.ts').then((m) => console.log(m.descriptorLimit()))`;
  const printed = execFileSync('prlimit', ['--nofile=700:700', process.execPath, '-e', script], { encoding: 'utf8' });
  assert.equal(Number(printed), 700);
});

test('the services together leave some free, if there are enough', () => {
  for (const limit of [300, 1024, 4096, 524_288, Number.POSITIVE_INFINITY]) {
    const { http, tftp } = shareDescriptors(limit);
    assert.ok(limit === Number.POSITIVE_INFINITY || http + tftp + 160 <= limit, `${limit}`);
    assert.ok(http >= 16 && tftp >= 16);
  }
});
