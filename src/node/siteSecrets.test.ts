import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { siteFixture } from '../site/fixture.ts';
import type { SecretSource, Site } from '../site/model.ts';
import { openSiteSecrets } from './siteSecrets.ts';

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
    openSiteSecrets(() => siteWith(secrets), env);

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
    });
  });

  test('a secret that no variable names is not looked for', async () => {
    const secrets = secretsOf({ lost: { kind: 'file', path: '/nowhere' } });
    assert.deepEqual(await secrets.reveal({ plain: 'text' }), { vars: { plain: 'text' }, values: new Set() });
  });

  test('a command is run once for a rack that wakes, and again after it failed', async () => {
    let now = 0;
    const line = `echo x >>runs; [ "$(wc -l <runs)" -gt 1 ] || exit 3; wc -l <runs`;
    const site = siteWith({ count: { kind: 'command', line } });
    const secrets = openSiteSecrets(
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
    ['no such variable', { kind: 'env', name: 'NOBODY' }, /\$NOBODY is not set/],
    ['a command that prints nothing', { kind: 'command', line: 'true' }, /it is empty/],
  ] as const) {
    test(`told with its name: ${words}`, async () => {
      const secrets = secretsOf({ lost: source });
      const revealed = secrets.reveal({ a: '{{ secrets.lost }}' });
      await assert.rejects(revealed, { code: 'SECRET_MISSING', message: why });
      await assert.rejects(revealed, /the secret lost cannot be had/);
    });
  }
});
