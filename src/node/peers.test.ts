import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import { brokenStore, emptyStore } from '../state/testing/fakes.ts';
import { Identities } from './identity.ts';
import { groupOf, openPeers, peersOf } from './peers.ts';
import { filesOf, siteWith, textOf, withSite } from './testing/renderFixture.ts';

/** Four nodes: two of one cloud, one of another, one that has not the overlay. */
const SITE = {
  'site.yaml': JSON.stringify({
    networks: { rack: { subnet: '10.0.0.0/24', domain: 'example.org' } },
    profiles: {
      compute: { overlays: ['nova-ssh'], vars: { net: { vlans: { move: { id: 5, subnet: '10.1.0.0/24' } } } } },
      other: { overlays: ['nova-ssh'], vars: { nova_ssh: { group: 'west' } } },
    },
    nodes: {
      node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['compute'] },
      node02: { mac: '52:54:00:00:00:52', ip: '10.0.0.52', profiles: ['compute'] },
      node03: { mac: '52:54:00:00:00:53', ip: '10.0.0.53', profiles: ['other'] },
      desktop: { mac: '52:54:00:00:00:54', ip: '10.0.0.54' },
    },
  }),
};

describe('peers', () => {
  test('are the nodes with the overlay and the same word', async () => {
    await withSite(SITE, async (site) => {
      const names = (group: string) => peersOf(site, group).map(({ name }) => name);
      assert.deepEqual(names(''), ['node01', 'node02']);
      assert.deepEqual(names('west'), ['node03']);
      assert.deepEqual(names('east'), []);
    });
  });

  test('are known by every name and address, and let in by their own keys alone', async () => {
    await withSite(SITE, async (site) => {
      const identities = new Identities(emptyStore().identities);
      const node = site.nodes.get('node01');
      assert(node);
      const peers = await openPeers(identities)(site, node);
      const [one, two] = [await identities.of('node01'), await identities.of('node02')];
      const key = (line: string) => line.split(' ').slice(0, 2).join(' ');
      assert.deepEqual(peers.knownHosts.split('\n'), [
        `node01,node01.example.org,10.0.0.51,10.1.0.51 ${key(one.sshHostKeys.ed25519.public)}`,
        `node02,node02.example.org,10.0.0.52,10.1.0.52 ${key(two.sshHostKeys.ed25519.public)}`,
        '',
      ]);
      assert.deepEqual(peers.authorizedKeys.split('\n'), [
        `restrict ${one.novaKey?.public}`,
        `restrict ${two.novaKey?.public}`,
        '',
      ]);

      const files = await filesOf(site, 'node01', { identity: one, peers });
      assert.equal(textOf(files, '/var/lib/nova/.ssh/id_ed25519'), one.novaKey?.private);
      assert.equal(textOf(files, '/var/lib/nova/.ssh/authorized_keys'), peers.authorizedKeys);
      assert.equal(textOf(files, '/etc/ssh/ssh_known_hosts'), peers.knownHosts);
      const secret = files.get('/var/lib/nova/.ssh/id_ed25519');
      assert.deepEqual([secret?.mode, secret?.owner, secret?.group], [0o600, 'nova', 'nova']);
      const all = [...files.keys()].map((path) => textOf(files, path)).join('\n');
      assert.equal(all.match(/PRIVATE KEY-----$/gm)?.length, 2, 'one private key, with its two markers');
    });
  });

  test('are put together once for a site, and again after a failure of the state', async () => {
    await withSite(SITE, async (site) => {
      const [node, other] = [...site.nodes.values()];
      assert(node && other);
      const store = emptyStore().identities;
      let down = true;
      const identities = new Identities({
        read: (name) => (down ? brokenStore().identities : store).read(name),
        keep: store.keep,
      });
      const peers = openPeers(identities);
      await assert.rejects(peers(site, node), (error) => error instanceof ReveilleError);
      down = false;
      const first = await peers(site, node);
      assert.equal(await peers(site, other), first);
      assert.deepEqual(await peers({ ...site }, other), first);
    });
  });

  test('a group that is no word is the nameless one', async () => {
    for (const vars of [{}, { nova_ssh: 7 }, { nova_ssh: { group: ['a'] } }, { nova_ssh: null }]) {
      await withSite(siteWith([], vars), async (site) => {
        const node = site.nodes.get('node01');
        assert(node);
        assert.equal(groupOf(node), '');
      });
    }
  });
});
