import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import { Identities, type Identity } from '../node/identity.ts';
import type { Inventory } from '../node/inventory.ts';
import { signKey } from '../node/openssl.ts';
import { TWO_CARDS } from '../node/testing/machineFixture.ts';
import { siteWith, withSite } from '../node/testing/renderFixture.ts';
import type { Site } from '../site/site.ts';
import { emptyStore } from '../state/testing/fakes.ts';
import { type ExplainedFiles, explainFiles, fileContent, filesJson, filesText, knownOfNodes } from './explainFiles.ts';
import { publicIdentity } from './identity.ts';

const SITE = {
  ...siteWith(['ssh-host-keys', 'networkd', 'chrony'], { net: { bridge: {} } }),
  'nodes/node01/files/etc/motd': 'hello',
};

async function explained(
  use: (explained: ExplainedFiles, identity: Identity | undefined, site: Site) => void,
  booted: boolean,
) {
  await withSite(SITE, async (site) => {
    const store = emptyStore();
    const node = site.nodes.get('node01');
    assert(node);
    if (booted) await store.inventories.save(node.macs[0], 1, TWO_CARDS as unknown as Inventory);
    const identity = booted ? await new Identities(store.identities).of('node01', { rsa: true }) : undefined;
    const known = await knownOfNodes(store, [node]);
    use(await explainFiles(site, node, known.get('node01')), identity, site);
  });
}

describe('explain --files', () => {
  test('says of every file who gives it and who named that', async () => {
    await explained((files) => {
      const text = filesText(files).split('\n');
      assert.equal(text[0], 'node01 gets 15 files');
      const line = (path: string) => text.find((one) => one.startsWith(path))?.split(/ {2,}/);
      assert.deepEqual(line('/etc/chrony/chrony.conf')?.slice(4), ['overlay chrony (shipped), by profile role']);
      assert.deepEqual(line('/etc/ssh/ssh_host_rsa_key ')?.slice(1, 3), ['0600', 'root:root']);
      assert.deepEqual(line('/etc/motd')?.slice(1), ['0644', 'root:root', '5', 'nodes/node01']);
      assert.equal(line('/etc/hosts')?.at(-1), 'generated');
      assert(line('/etc/systemd/network/03-br-provider.netdev'));
      assert.equal(files.notes.length, 0);
    }, true);
  });

  test('says what it had to make up for a node that never booted', async () => {
    await explained((files) => {
      assert.equal(files.notes.length, 2);
      assert.match(filesText(files), /network cards are samples[\s\S]*this one is a sample/);
      assert.match(Buffer.from(fileContent(files, '/etc/ssh/ssh_host_rsa_key.pub')).toString(), /sample/);
    }, false);
  });

  test('shows public keys and no private one, in no form', async () => {
    await explained((files, identity) => {
      const keys = Object.values(identity?.sshHostKeys ?? {});
      assert.equal(keys.length, 3);
      const contents = files.files.map(({ path }) => Buffer.from(fileContent(files, path)).toString()).join('\n');
      const all = [contents, filesText(files), JSON.stringify(filesJson(files))].join('\n');
      for (const key of keys) {
        assert(contents.includes(key.public));
        // Its first lines hold the public half too.
        const secret = key.private.split('\n').filter((line) => /^[A-Za-z0-9+/=]+$/.test(line));
        for (const line of secret.slice(-2)) assert(!all.includes(line), line);
      }
      assert.equal(Buffer.from(fileContent(files, '/etc/ssh/ssh_host_ed25519_key')).toString(), '(kept private)\n');
    }, true);
  });

  test('a file that the node does not get is refused', async () => {
    await explained((files) => {
      assert.throws(
        () => fileContent(files, '/etc/shadow'),
        (error) => error instanceof ReveilleError && error.code === 'FILE_MISSING',
      );
    }, true);
  });
});

test('node show says for whom and until when a certificate holds', async () => {
  const life = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2029, 0, 1) };
  const subject = { commonName: 'node01', organization: 'rack', dns: ['node01'], ips: ['10.0.0.51'] };
  const { certificate, key } = await signKey(subject, life, undefined, tmpdir());
  const store = emptyStore();
  await new Identities(store.identities).of('node01', { nova: true });
  const shown = publicIdentity(await store.identities.read('node01'), certificate);
  const { names, from, to } = (shown?.certificate ?? {}) as Record<string, string>;
  assert.deepEqual([from, to], ['2026-01-01', '2029-01-01']);
  assert.equal(names, undefined, 'an authority has none');
  assert(!JSON.stringify(shown).includes(key.split('\n')[1] ?? ''));
  assert.match(JSON.stringify(shown), /"novaKey":\{"public":"ssh-ed25519 /);
});

test('node show has the fingerprints of an identity, and nothing private', async () => {
  const store = emptyStore();
  assert.equal(publicIdentity(await store.identities.read('node01')), null);
  const { sshHostKeys, machineId } = await new Identities(store.identities).of('node01', { rsa: true });
  const shown = publicIdentity(await store.identities.read('node01'));
  assert.equal(shown?.machineId, machineId);
  const text = JSON.stringify(shown);
  assert.equal(text.match(/SHA256:/g)?.length, 3);
  for (const key of Object.values(sshHostKeys)) {
    assert(text.includes(key.public));
    assert(!text.includes('PRIVATE KEY') && !text.includes(key.private.split('\n').at(-3) ?? ''));
  }
});
