import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import { parseReport } from './report.ts';

const BOOT = '0b9f7a6e-1c7b-4a2a-9d52-0c5c5d1f3a10';
const head = `boot=${BOOT}\nseq=12\nstep=settings\nstatus=failed\nms=1500`;

test('a report is its head and the output as it was, without what a terminal would obey', () => {
  const report = parseReport(
    Buffer.from(`${head}\ndetail=exit code 3\n\nline=1\n\n\u001b[31mred\u001b[0m \u0007tab\there\n`),
  );
  assert.deepEqual(report, {
    boot: BOOT,
    seq: 12,
    step: { code: 'settings' },
    status: 'failed',
    ms: 1500,
    detail: 'exit code 3',
    output: 'line=1\n\nred tab\there',
  });
});

test('a report without detail and output has neither', () => {
  for (const end of ['', '\n', '\n\n']) {
    const report = parseReport(Buffer.from(head + end));
    assert.equal('detail' in report || 'output' in report, false);
  }
});

test('what is not a report is refused', () => {
  for (const text of [
    '',
    'x',
    head.replace('failed', 'maybe'),
    head.replace('seq=12', 'seq=x'),
    head.replace(BOOT, '1'),
    head.replace('step=settings', 'step=\u001b[2J'),
    `${head}\n${'x'.repeat(17_000)}`,
  ]) {
    assert.throws(
      () => parseReport(Buffer.from(text)),
      (error) => error instanceof ReveilleError && error.code === 'REQUEST_INVALID',
      text,
    );
  }
  fc.assert(
    fc.property(fc.uint8Array(), (body) => {
      try {
        parseReport(body);
      } catch (error) {
        if (!(error instanceof ReveilleError)) throw error;
      }
    }),
  );
});
