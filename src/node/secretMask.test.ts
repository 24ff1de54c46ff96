import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NO_SECRETS, SecretMask } from './secretMask.ts';
import { createRenderer } from './templates.ts';

const renderer = createRenderer();
const HIDDEN = '(kept private)';

/** Filters that change a text and keep all of it. */
const FILTERS = [
  'to_json',
  'to_nice_json',
  'to_yaml',
  'urlencode',
  'e',
  'escape',
  'upper',
  'lower',
  'capitalize',
  'title',
  'trim',
  'string',
  'safe',
  'reverse',
  'indent(4)',
  'center(60)',
  "default('x')",
  'dump',
  'oslo',
  'quote',
] as const;

const SECRETS: readonly string[] = [
  `quo"te'd\\pass`,
  'pass/word+1=&<>',
  'MixedCase9',
  'with blanks in it',
  'grüße: #1 %41',
  '{{ x }}{% y %}',
  '- dash: yes',
  'true',
  '12345678',
  '$(id)`id`;|&',
  '\u00a0nbsp\u0085',
  "''''",
  '@home',
];

describe('secrets are hidden in every form that filters make', () => {
  for (const secret of SECRETS) {
    test(JSON.stringify(secret), () => {
      const mask = SecretMask.of([secret]);
      for (const first of FILTERS) {
        for (const second of FILTERS) {
          // Several lines, which oslo.config does not take.
          if (second === 'oslo' && ['to_yaml', 'to_nice_json'].includes(first)) continue;
          const sees = { s: secret, whole: `amqp://user:${secret}@host/`, map: { key: secret, list: [secret] } };
          for (const text of [
            `before {{ s | ${first} | ${second} }} after`,
            `before {{ whole | ${first} | ${second} }} after`,
            `{{ map | ${first === 'to_yaml' ? 'to_yaml' : 'to_json'} | ${second} }}`,
          ]) {
            const made = renderer.render('t', text, sees);
            const shown = mask.mask(made);
            assert(shown.includes(HIDDEN), `${text}: ${made} -> ${shown}`);
            assert(mask.finds(made));
            for (let i = 0; i + 4 <= secret.length; i++) {
              const part = secret.slice(i, i + 4).toLowerCase();
              assert(!shown.toLowerCase().includes(part), `${text}: ${made} -> ${shown}`);
            }
          }
        }
      }
    });
  }
});

test('any secret, alone and within a text, through any two filters', () => {
  const secret = fc.string({ minLength: 4, maxLength: 40, unit: 'grapheme' }).filter((text) => text.trim().length >= 4);
  const filter = fc.constantFrom(...FILTERS.filter((name) => name !== 'title' && name !== 'capitalize'));
  fc.assert(
    fc.property(secret, filter, filter, (value, first, second) => {
      const mask = SecretMask.of([value]);
      let made: string;
      try {
        made = renderer.render('t', `{{ s | ${first} | ${second} }}`, { s: `x ${value} y` });
      } catch (error) {
        // Half of a character, which reversing leaves, has no encoding; oslo.config takes neither lines nor \$.
        assert.match(String(error), /no Unicode|oslo.config/);
        return;
      }
      const shown = mask.mask(made);
      assert(shown.includes(HIDDEN), `${JSON.stringify(value)} | ${first} | ${second}: ${shown}`);
    }),
    { numRuns: 2000 },
  );
});

test('each line of a secret of several lines is hidden, and private keys whatever became of them', () => {
  const key = [
    '-----BEGIN RSA PRIVATE KEY-----',
    'MIIEowIBAAKCAQEAxyz0',
    'c2Vjb25kIGxpbmUgaGVyZQ==',
    '-----END RSA PRIVATE KEY-----',
    '',
  ].join('\n');
  const secret = 'first line of it\nsecond line of it\n';
  const mask = SecretMask.of([secret], [key]);
  for (const filter of ['indent(8)', 'to_json', 'to_yaml', 'urlencode', 'upper', 'trim', "replace('\n', '\\n')"]) {
    const shown = mask.mask(renderer.render('t', `{{ s | ${filter} }}`, { s: `a\n${secret}b` }));
    assert.doesNotMatch(shown, /first.line|second.line|first%20line/i, filter);
  }
  for (const filter of ['indent(8)', 'to_json', 'to_yaml', 'urlencode', 'trim', "replace('-----', '')"]) {
    const shown = mask.mask(renderer.render('t', `{{ s | ${filter} }}`, { s: `a\n${key}b` }));
    assert.doesNotMatch(shown, /MIIEow|c2Vjb25k/, filter);
  }
  assert.equal(NO_SECRETS.mask(`a\n${key}b`), 'a\n(kept private)\nb');
  assert.equal(NO_SECRETS.mask('-----BEGIN RSA PRIVATE KEY-----\ncut off'), HIDDEN);
  assert.equal(NO_SECRETS.mask('-----BEGIN CERTIFICATE-----'), '-----BEGIN CERTIFICATE-----');
});

test('secrets that overlap, touch or contain each other leave nothing of them', () => {
  const cases: readonly (readonly [readonly string[], string, string])[] = [
    [['abcd', 'cdef'], 'xabcdefx', `x${HIDDEN}x`],
    [['abcd', 'abcdefgh'], 'abcdefgh abcd', `${HIDDEN} ${HIDDEN}`],
    [['abcd', 'efgh'], 'abcdefgh', HIDDEN],
    [['aaaa'], 'aaaaaa', HIDDEN],
    // What stands in the place of a secret is not looked at again.
    [['kept', 'private', 'abcd'], 'abcd', HIDDEN],
    [[], 'nothing', 'nothing'],
  ];
  for (const [values, text, expected] of cases) assert.equal(SecretMask.of(values).mask(text), expected, text);
});

test('a short secret does not blank all else', () => {
  for (const value of ['1', 'no', 'abc', '   a   ', '']) {
    const mask = SecretMask.of([value]);
    assert.equal(mask.mask('1 no abc     a    '), '1 no abc     a    ');
    assert.equal(mask.agentList, '');
  }
});

test('a text that was cut off within a secret shows nothing of it', () => {
  const mask = SecretMask.of(['correct-horse-battery']);
  assert.equal(mask.maskCut('battery and more'), `${HIDDEN} and more`);
  assert.equal(mask.maskCut('words and correct-hor'), `words and ${HIDDEN}`);
  assert.equal(mask.maskCut('horse-battery correct-horse-battery corr'), `${HIDDEN} ${HIDDEN} ${HIDDEN}`);
  assert.equal(mask.maskCut('ery and cor'), 'ery and cor', 'too short to be recognized');
});

test('the list for agents: one literal a line, longest first, secrets alone', () => {
  const mask = SecretMask.of([`a"b'c d`, 'two long\nlines of text'], ['private key of a node']);
  const lines = mask.agentList.trimEnd().split('\n');
  assert(
    lines.includes(`a"b'c d`) &&
      lines.includes(`a\\"b'c d`) &&
      lines.includes('a%22b&#39;c d'.replace('&#39;', "'").replace(' ', '%20')),
  );
  assert(lines.includes('two long') && lines.includes('lines of text'));
  assert(
    lines.every((line, i) => line.length >= 4 && line.length <= (lines[i - 1]?.length ?? Number.POSITIVE_INFINITY)),
  );
  assert(!mask.agentList.includes('private key of a node'));
  assert.equal(new Set(lines).size, lines.length);
  assert.equal(NO_SECRETS.agentList, '');
});

test('two masks together hide what either hides', () => {
  const both = SecretMask.of(['first-secret']).and(SecretMask.of(['second-secret']));
  assert.equal(both.mask('first-secret, second-secret'), `${HIDDEN}, ${HIDDEN}`);
  assert.equal(both.id, SecretMask.of(['second-secret']).and(SecretMask.of(['first-secret'])).id);
});
