import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import type { Site } from '../site/site.ts';
import { ip } from '../site/testing/fixture.ts';
import { packBundle } from './bundle.ts';
import { Contents } from './contents.ts';
import { diffNode } from './diff.ts';
import { SAMPLE_IDENTITY } from './identity.ts';
import { maskedNews, parseNews } from './news.ts';
import { nodeBundle } from './nodeBundle.ts';
import { NodeMasks } from './nodeMasks.ts';
import { maskedReport, parseReport } from './report.ts';
import { SiteSecrets } from './siteSecrets.ts';
import { createRenderer } from './templates.ts';
import { siteWith, withSite } from './testing/renderFixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'reveille-masks-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const SECRET = `quo"te'd & pass/word`;
const KEY_LINE = 'b3BlbnNzaC1rZXktdjEAAAAAsecretpart';
const KEY = ['-----BEGIN OPENSSH PRIVATE KEY-----', KEY_LINE, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n');

const FILES = {
  'overlays/app/etc/app.json.j2': '{{ { "password": vars.password } | to_json }}\n',
  'overlays/app/etc/app.yaml.j2': '{{ { "login": "user:" ~ vars.password } | to_yaml }}',
  'overlays/app/etc/app.url.j2': 'http://{{ vars.password | urlencode }}@host/{{ vars.password | e | upper }}\n',
  'overlays/app/etc/app.key.j2':
    '{{ identity.sshHostKeys.ed25519.private | urlencode }}\n{{ identity.sshHostKeys.ed25519.private | to_json }}\n',
  'overlays/app/etc/plain.j2': 'nothing of that\n',
  'overlays/app/overlay.yaml': `hooks:\n  - { files: [/etc/app.json], run: "reload" }\n`,
};

async function withApp<T>(more: Readonly<Record<string, string>>, use: (site: Site) => Promise<T>): Promise<T> {
  const [[name, text] = ['', '']] = Object.entries(siteWith(['app'], { password: '{{ secrets.app }}' }));
  const site = { ...JSON.parse(text), secrets: { app: { file: 'kept/app' } } };
  return withSite({ [name]: JSON.stringify(site), 'kept/app': `${SECRET}\n`, ...FILES, ...more }, use);
}

function bundleOf(site: Site) {
  const node = site.nodes.get('node01');
  assert(node);
  const { sshHostKeys } = SAMPLE_IDENTITY;
  const identity = {
    ...SAMPLE_IDENTITY,
    sshHostKeys: { ...sshHostKeys, ed25519: { public: 'ssh-ed25519 A', private: KEY } },
  };
  return nodeBundle(
    site,
    node,
    { inventory: undefined, server: { ip: ip('10.0.0.2'), httpPort: 8080 } },
    {
      secrets: new SiteSecrets(() => site, {}),
      identities: { of: async () => identity },
      credentialsOf: () => assert.fail('not asked for'),
      peersOf: () => assert.fail('not asked for'),
      renderer: createRenderer(),
    },
  );
}

const LEAK = /quo.{0,12}te|pass.{0,6}word|PASS.{0,6}WORD|secretpart/i;

test('a difference shows no secret, however its file writes it, and none is kept', async () => {
  await withApp({}, async (site) => {
    const bundle = await bundleOf(site);
    assert(bundle.manifest.includes('/etc/app.json'));
    const applied = { sha256: '0'.repeat(64), manifest: '', drifted: 0, drift: [] };
    const { changes } = await diffNode(applied, bundle, async () => undefined);
    assert.equal(changes.filter(({ path }) => path.startsWith('/etc/app.')).length, 4);
    for (const { path, after: form } of changes) {
      if (path.startsWith('/etc/app.')) assert.match(form?.text ?? '', /\(kept private\)/, path);
      assert.doesNotMatch((form?.text ?? '').replaceAll('"password"', ''), LEAK, path);
    }
    const folder = join(scratch, 'bundles');
    const contents = new Contents(folder, (error) => assert.fail(String(error)));
    contents.keep(bundle);
    await contents.settled();
    const kept = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    assert(kept.includes('nothing of that\n'));
    assert(kept.every((text) => !LEAK.test(text)));
  });
});

test('what refuses a file does not quote a secret', async () => {
  for (const text of [
    '{{ fail("no host for " ~ vars.password) }}',
    '{{ fail({ "a": vars.password } | to_json) }}',
    '{{ ["a"] | select(vars.password) }}',
    '{{ "x" is match("(" ~ vars.password) }}',
    '{{ vars.password in 5 }}',
    '{{ [1] | groupby(vars.password) }}',
  ]) {
    await withApp({ 'overlays/app/etc/fails.j2': text }, async (site) => {
      await assert.rejects(bundleOf(site), (error) => {
        assert(error instanceof ReveilleError && error.place);
        assert.match(error.message, /\(kept private\)/, text);
        assert.doesNotMatch(`${error.message} ${error.hint} ${error.stack} ${String(error.cause)}`, LEAK, text);
        return true;
      });
    });
  }
});

test('a bundle lists what the agent must hide, and has the same name as without the list', async () => {
  await withApp({}, async (site) => {
    const bundle = await bundleOf(site);
    const { tar } = await packBundle(bundle);
    const list = (name: string) => execFileSync('tar', ['-xOf', '-', name], { input: tar, encoding: 'utf8' });
    const verbose = execFileSync('tar', ['-tvf', '-', 'mask'], { input: tar, encoding: 'utf8' });
    assert.match(verbose, /^-rw------- .* mask$/m);
    const lines = list('mask').trimEnd().split('\n');
    for (const form of [SECRET, SECRET.replace('"', '\\"'), encodeURIComponent(SECRET), SECRET.toUpperCase()]) {
      assert(lines.includes(form), form);
    }
    const refresh = await packBundle(bundle, bundle.manifest);
    assert.equal(execFileSync('tar', ['-xOf', '-', 'mask'], { input: refresh.tar, encoding: 'utf8' }), list('mask'));
  });
  await withSite({ ...siteWith(['app'], { password: 'plain' }), ...FILES }, async (site) => {
    const { tar } = await packBundle(await bundleOf(site));
    const names = execFileSync('tar', ['-tf', '-'], { input: tar, encoding: 'utf8' }).split('\n');
    assert(!names.includes('mask'), 'no secret, no entry');
  });
});

test('reports of a node show no secret that reached it: after its bundle, after a new secret, and after a restart of the server', async () => {
  await withApp({}, async (site) => {
    const node = site.nodes.get('node01');
    assert(node);
    const secrets = new SiteSecrets(() => site, {});
    const report = (output: string) =>
      parseReport(
        Buffer.from(
          `boot=0b9f7a6e-1c7b-4a2a-9d52-0c5c5d1f3a10\nseq=1\nstep=hook\nstatus=failed\nms=1\ndetail=login as ${SECRET} refused\n\n${output}`,
        ),
      );
    const restarted = new NodeMasks(secrets);
    const first = maskedReport(
      report(`OS_PASSWORD=${SECRET}\ntoken: ${JSON.stringify(SECRET)}`),
      await restarted.of(node),
    );
    assert.equal(first.detail, 'login as (kept private) refused');
    assert.equal(first.output, 'OS_PASSWORD=(kept private)\ntoken: "(kept private)"');

    const masks = new NodeMasks(secrets);
    masks.note('node01', (await bundleOf(site)).mask);
    writeFileSync(join(site.root, 'kept/app'), 'another-secret\n');
    masks.note('node01', (await bundleOf(site)).mask);
    const second = maskedReport(report(`${SECRET} another-secret ${KEY_LINE}`), await masks.of(node));
    assert.equal(second.output, '(kept private) (kept private) (kept private)');

    const news = parseNews(
      Buffer.from(
        `reveille.applied=1\nbundle=${'0'.repeat(64)}\nfailed=hook: another-secret\ndrift=content\t/etc/another-secret\n\n`,
      ),
    );
    const { applied } = maskedNews(news, await masks.of(node));
    assert.equal(applied.failed, 'hook: (kept private)');
    assert.deepEqual(applied.drift, [{ path: '/etc/(kept private)', what: 'content' }]);
  });
});

test('a secret that cannot be had hides nothing and stops no report', async () => {
  await withApp({}, async (site) => {
    const node = site.nodes.get('node01');
    assert(node);
    rmSync(join(site.root, 'kept/app'));
    const mask = await new NodeMasks(new SiteSecrets(() => site, {})).of(node);
    assert.equal(mask.mask('text'), 'text');
  });
});
