import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import { LONGEST_NEWS, maskedNews, parseNews } from './news.ts';
import { NO_SECRETS } from './secretMask.ts';

const SHA = 'ab'.repeat(32);
const head = (...lines: string[]) => ['reveille.applied=1', `bundle=${SHA}`, ...lines, '', ''].join('\n');
const read = (text: string) => parseNews(Buffer.from(text));

test('all fields of a report', () => {
  const manifest = 'file\t0644\troot\troot\tx\t/etc/a\n';
  const text = head(
    'boot=0b9f7a6e-1c7b-4a2a-9d52-0c5c5d1f3a10',
    'changed=3',
    'removed=1',
    'ms=120',
    'sync=some-order',
    'failed=hook: systemctl reload x: ended with exit code 1',
    'drifted=7',
    'drift=missing\t/etc/gone',
    'drift=content\t/etc/a b',
    'drift=access:600:0:64060\t/etc/mode',
    'newer=key',
  );
  assert.deepEqual(read(`${text}${manifest}`), {
    applied: {
      sha256: SHA,
      manifest,
      failed: 'hook: systemctl reload x: ended with exit code 1',
      drifted: 7,
      drift: [
        { path: '/etc/gone', what: 'missing' },
        { path: '/etc/a b', what: 'content' },
        { path: '/etc/mode', what: 'access', access: { mode: '600', owner: 0, group: 64060 } },
      ],
    },
    changed: 3,
    removed: 1,
    ms: 120,
    sync: 'some-order',
  });
});

test('the shortest report', () => {
  const applied = { sha256: SHA, drifted: 0, drift: [] };
  assert.deepEqual(read(head()), { applied, changed: 0, removed: 0, ms: 0 });
});

const WRONG: readonly string[] = [
  '',
  'reveille.applied=2\n',
  'reveille.applied=1\n',
  'reveille.applied=1\nbundle=ab\n',
  head('no equals sign'),
  head('changed=-1'),
  head('ms=1e3'),
  head('drift=content\tetc/a'),
  head('drift=sideways\t/etc/a'),
  head('drift=access:9:0:0\t/etc/a'),
];

for (const text of WRONG) {
  test(`refused: ${JSON.stringify(text.slice(0, 90))}`, () => {
    assert.throws(() => read(text), { code: 'REQUEST_INVALID' });
  });
}

test('no body makes it throw anything but its own error, and none is too much for it', () => {
  const lines = fc.constantFrom(
    'drift=',
    'changed=',
    `bundle=${SHA}`,
    'x',
    '=',
    '\t',
    '/etc/a',
    '\n',
    '\0',
    '\u001b[2J',
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(lines).map((parts) => head(parts.join(''))),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        const { applied } = read(text);
        assert.match(applied.sha256, /^[0-9a-f]{64}$/);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none may reach a terminal
        for (const { path } of applied.drift) assert.doesNotMatch(path, /[\u0000-\u001f]/);
      } catch (error) {
        assert.ok(error instanceof ReveilleError && error.code === 'REQUEST_INVALID', String(error));
      }
    }),
  );
  assert.throws(() => parseNews(Buffer.alloc(LONGEST_NEWS + 1, 'x')), { code: 'REQUEST_INVALID' });
  const many = read(head(...Array.from({ length: 500 }, (_, i) => `drift=missing\t/etc/${i}`)));
  assert.equal(many.applied.drift.length, 100);
  const long = 'x'.repeat(50_000);
  const news = read(head(`drift=content\t/${long}`, `failed=${long}`, `sync=${long}`, `other=${long}`));
  const { applied, sync } = maskedNews(news, NO_SECRETS);
  assert.ok(JSON.stringify(applied).length < 4000);
  assert.equal(sync, undefined);
});
