import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { formatPlace, type ReveilleError } from '../errors.ts';
import type { SecretSource } from '../model/secret.ts';
import type { Site } from '../site/site.ts';
import { siteFixture } from '../site/testing/fixture.ts';
import { SiteSecrets } from './siteSecrets.ts';

describe('secrets of the site', () => {
  let root = '';
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'reveille-secrets-'));
    await writeFile(join(root, 'rabbit'), 'hop\n');
  });
  after(() => rm(root, { recursive: true }));

  const siteWith = (secrets: { readonly [name: string]: SecretSource }): Site => ({
    ...siteFixture(),
    root,
    secrets: new Map(Object.entries(secrets)),
  });
  const secretsOf = (secrets: { readonly [name: string]: SecretSource }, env: NodeJS.ProcessEnv = {}) =>
    new SiteSecrets(() => siteWith(secrets), env);

  test('variables get them from a file, the environment and a command, alone and within a text', async () => {
    const secrets = secretsOf(
      {
        rabbit: { kind: 'file', path: join(root, 'rabbit') },
        nova: { kind: 'env', name: 'NOVA' },
        neutron: { kind: 'command', line: 'cat rabbit | tr a-z A-Z' },
      },
      { NOVA: 'star' },
    );
    const vars = {
      nova: { url: 'rabbit://openstack:{{ secrets.rabbit }}@controller', password: '{{secrets.nova}}', port: 5 },
      list: ['{{ secrets.neutron }}', '{{ node.ip }}'],
    };
    assert.deepEqual(await secrets.reveal(vars), {
      vars: {
        nova: { url: 'rabbit://openstack:hop@controller', password: 'star', port: 5 },
        list: ['HOP', '{{ node.ip }}'],
      },
      values: new Set(['hop', 'star', 'HOP']),
      raw: new Set(),
    });
  });

  test('a secret that no variable names is not looked for', async () => {
    const secrets = secretsOf({ lost: { kind: 'file', path: '/nowhere' } });
    assert.deepEqual(await secrets.reveal({ plain: 'text' }), {
      vars: { plain: 'text' },
      values: new Set(),
      raw: new Set(),
    });
  });

  test('a file that is none is refused and holds nothing up', async () => {
    execFileSync('mkfifo', [join(root, 'fifo')]);
    await writeFile(join(root, 'long'), 'x'.repeat(65 * 1024));
    for (const [path, reason] of [
      [join(root, 'fifo'), /not a file/],
      ['/dev/zero', /not a file/],
      [root, /not a file|EISDIR/],
      [join(root, 'long'), /longer than 64 KiB/],
    ] as const) {
      const secrets = secretsOf({ odd: { kind: 'file', path } });
      await assert.rejects(secrets.reveal({ text: '{{ secrets.odd }}' }), { code: 'SECRET_MISSING', message: reason });
    }
  });

  test('a command is run once for a rack that wakes, and again after it failed', async () => {
    let now = 0;
    const line = `echo x >>runs; [ "$(wc -l <runs)" -gt 1 ] || exit 3; wc -l <runs`;
    const site = siteWith({ count: { kind: 'command', line } });
    const secrets = new SiteSecrets(
      () => site,
      {},
      () => now,
    );
    const reveal = async () => (await secrets.reveal({ n: '{{ secrets.count }}' })).vars.n;
    await assert.rejects(reveal(), { code: 'SECRET_MISSING', message: /the command failed.*exit code 3/ });
    assert.equal(await reveal(), '2');
    assert.equal(await reveal(), '2');
    now = 61_000;
    assert.equal(await reveal(), '3');
  });

  for (const [words, source, why] of [
    ['no such file', { kind: 'file', path: '/nowhere/at/all' }, /ENOENT/],
    ['no such variable', { kind: 'env', name: 'MISSING' }, /\$MISSING is not set/],
    ['a command that prints nothing', { kind: 'command', line: 'true' }, /it is empty/],
  ] as const) {
    test(`reported with its name: ${words}`, async () => {
      const secrets = secretsOf({ lost: source });
      const revealed = secrets.reveal({ a: '{{ secrets.lost }}' });
      await assert.rejects(revealed, { code: 'SECRET_MISSING', message: why });
      await assert.rejects(revealed, /the secret lost cannot be had/);
    });
  }

  const bytesOf = (content: string | Uint8Array) => (typeof content === 'string' ? Buffer.from(content) : content);
  const PEM = '-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n';

  const rightForms: readonly (readonly [string, string | Uint8Array, string])[] = [
    ['one line end', 'pw\n', 'pw'],
    ['none', 'pw', 'pw'],
    ['several', 'pw\n\n\n', 'pw'],
    ['CR LF, twice', 'pw\r\n\r\n', 'pw'],
    ['CR alone', 'pw\r', 'pw'],
    ['a byte order mark', '\ufeffpw\n', 'pw'],
    ['blanks, which belong to it', ' p w \n', ' p w '],
    ['a key', PEM, PEM.trimEnd()],
    ['a key with CR LF', PEM.replaceAll('\n', '\r\n'), PEM.trimEnd()],
  ];
  for (const [words, content, value] of rightForms) {
    test(`a value that ends in, or holds, ${words}`, async () => {
      await writeFile(join(root, 'odd'), bytesOf(content));
      const ofFile = await secretsOf({ odd: { kind: 'file', path: join(root, 'odd') } }).reveal({
        a: '{{ secrets.odd }}',
      });
      assert.equal(ofFile.vars.a, value);
      const ofCommand = await secretsOf({ odd: { kind: 'command', line: 'cat odd' } }).reveal({
        a: '{{ secrets.odd }}',
      });
      assert.equal(ofCommand.vars.a, value);
      const env = { ODD: Buffer.from(content).toString() };
      const ofEnv = await secretsOf({ odd: { kind: 'env', name: 'ODD' } }, env).reveal({ a: '{{ secrets.odd }}' });
      assert.equal(ofEnv.vars.a, value);
    });
  }

  const refusedForms: readonly (readonly [string, string | Uint8Array, RegExp, string])[] = [
    ['several lines', 'pw\nlogin: nova\n', /has 2 lines, expected one/, 'odd:2:1'],
    ['UTF-16', Buffer.from('\ufeffpw\n', 'utf16le'), /UTF-16/, 'odd:1:1'],
    ['a NUL byte', 'pw\0x\n', /NUL byte/, 'odd:1:3'],
    ['bytes of another encoding', Buffer.from([0x70, 0xfc, 0x0a]), /not UTF-8 text \(byte 0xfc\)/, 'odd:1:2'],
    ['a carriage return within', 'p\rw\n', /carriage return/, 'odd:1:2'],
  ];
  for (const [words, content, why, where] of refusedForms) {
    test(`refused with its place: ${words}`, async () => {
      await writeFile(join(root, 'odd'), bytesOf(content));
      const revealed = secretsOf({ odd: { kind: 'file', path: join(root, 'odd') } }).reveal({ a: '{{ secrets.odd }}' });
      await assert.rejects(revealed, (error: ReveilleError) => {
        assert.equal(error.code, 'SECRET_INVALID');
        assert.match(error.message, why);
        assert.equal(formatPlace(error.place ?? { file: '', line: 0, col: 0 }), where);
        assert.doesNotMatch(`${error.message} ${error.hint}`, /login|nova/);
        return true;
      });
    });
  }

  test('of what a command prints, as `pass show` does, the first line counts', async () => {
    const secrets = secretsOf({ pass: { kind: 'command', line: String.raw`printf 'pw\nlogin: nova\n'` } });
    assert.equal((await secrets.reveal({ a: '{{ secrets.pass }}' })).vars.a, 'pw');
  });

  test('a text of several lines stands alone', async () => {
    const env = { TWO: 'a\nb\n' };
    const secrets = secretsOf({ two: { kind: 'env', name: 'TWO', multiline: true } }, env);
    assert.equal((await secrets.reveal({ a: '{{ secrets.two }}' })).vars.a, 'a\nb');
    await assert.rejects(
      secrets.reveal({ deep: { a: 'x={{ secrets.two }}' } }),
      /several lines and stands within a line of vars.deep.a/,
    );
  });

  const urls: readonly (readonly [string, string, string])[] = [
    ['rabbit://nova:{{ secrets.odd }}@c', 'p@s/w#d', 'rabbit://nova:p%40s%2Fw%23d@c'],
    ['rabbit://nova:{{ secrets.odd }}@c', 'a:b%c"d$e f', 'rabbit://nova:a%3Ab%25c%22d%24e%20f@c'],
    [
      'rabbit://a:{{ secrets.odd }}@h1:5672,a:{{ secrets.odd }}@h2:5672/v',
      'x@,y',
      'rabbit://a:x%40%2Cy@h1:5672,a:x%40%2Cy@h2:5672/v',
    ],
    ['mysql+pymysql://n:{{secrets.odd}}@db/nova?charset=utf8', '50%', 'mysql+pymysql://n:50%25@db/nova?charset=utf8'],
    ['say http://h:1/ then {{ secrets.odd }}', 'p@s/w#d', 'say http://h:1/ then p@s/w#d'],
    ['{{ secrets.odd }}', 'rabbit://u:p@h/', 'rabbit://u:p@h/'],
    ['rabbit://{{ secrets.odd }}/', 'u:p%40@h:5672', 'rabbit://u:p%40@h:5672/'],
    ['https://hooks/{{ secrets.odd }}', 'T0/B0/xY', 'https://hooks/T0/B0/xY'],
    ['https://h/?t={{ secrets.odd | urlencode }}', 'a&b+c', 'https://h/?t=a%26b%2Bc'],
    ['rabbit://u:{{ secrets.odd | urlencode }}@h', 'p%40s', 'rabbit://u:p%2540s@h'],
    ['rabbit://u:{{ secrets.odd | raw }}@h', 'p%40s', 'rabbit://u:p%40s@h'],
    ['{{ secrets.odd | oslo }}', 'a$b ', '"a$$b "'],
    ['curl -u x:{{ secrets.odd | quote }}', "a'b", `curl -u x:'a'"'"'b'`],
  ];
  for (const [text, value, filled] of urls) {
    test(`${text} with ${value}`, async () => {
      const secrets = secretsOf({ odd: { kind: 'env', name: 'ODD' } }, { ODD: value });
      assert.equal((await secrets.reveal({ a: text })).vars.a, filled);
    });
  }

  const refusedUrls: readonly (readonly [string, string, RegExp])[] = [
    ['rabbit://u:{{ secrets.odd }}@h', 'p%40s', /looks encoded already/],
    ['rabbit://{{ secrets.odd }}@h', 'nova:pw', /stands in the user of a URL/],
    ['http://{{ secrets.odd }}/x', 'h x', /stands in the host of a URL/],
    ['https://h/{{ secrets.odd }}', 'a?b', /stands in the path of a URL/],
    ['https://h/x?t={{ secrets.odd }}', 'a&b', /stands in the query of a URL/],
    ['{{ secrets.odd | oslo }}', 'a\\$b', /oslo.config cannot have/],
  ];
  for (const [text, value, why] of refusedUrls) {
    test(`refused: ${text} with ${value}`, async () => {
      const secrets = secretsOf({ odd: { kind: 'env', name: 'ODD' } }, { ODD: value });
      const revealed = secrets.reveal({ nova: { url: text } });
      await assert.rejects(revealed, { code: 'SECRET_INVALID', message: why });
      await assert.rejects(
        revealed,
        (error: Error) => !error.message.includes(value) && /vars\.nova\.url/.test(error.message),
      );
    });
  }
});
