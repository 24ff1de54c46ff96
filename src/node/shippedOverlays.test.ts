import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import { emptyStore } from '../state/fakes.ts';
import { checkTemplates } from './check.ts';
import { openIdentities } from './identity.ts';
import type { SshKey } from './opensshKey.ts';
import { overlayNamed, overlayNames } from './overlays.ts';
import { identityAsked } from './render.ts';
import { filesOf, siteWith, textOf, withSite } from './renderFixture.ts';
import { readSources } from './sources.ts';

/** What node01 gets with one shipped overlay. */
function files(overlay: string, vars: object = {}, network: object = {}) {
  return withSite(siteWith([overlay], vars, network), (site) => filesOf(site));
}

async function refusal(overlay: string, vars: object): Promise<string> {
  const error = await files(overlay, vars).then(
    () => assert.fail('it rendered'),
    (error: unknown) => error,
  );
  assert(error instanceof ReveilleError, String(error));
  return `${error.message} | ${error.hint}`;
}

describe('each shipped overlay', async () => {
  for (const name of await overlayNames('/nonexistent')) {
    test(`${name} says what it is for, and its variables are documented`, async () => {
      const { shipped, about, vars, sources } = await overlayNamed('/nonexistent', name);
      assert(shipped);
      assert.match(about ?? '', /^\S.{5,120}$/);
      assert(sources.length > 0);
      for (const [key, said] of vars) {
        assert(said.about.length > 5, key);
        assert(!said.needed || said.example !== undefined, `${key} is needed, so it has an example`);
      }
      // What templates read of `vars` is what overlay.yaml tells of.
      for (const source of sources) {
        if (!('content' in source) || !source.template) continue;
        for (const [, read = ''] of Buffer.from(source.content)
          .toString()
          .matchAll(/\bvars\.([\w.]+)/g)) {
          const known = [...vars.keys()].some((key) => `${read}.`.startsWith(`${key}.`));
          assert(known, `${source.file} reads vars.${read}, which overlay.yaml does not name`);
        }
      }
    });

    test(`${name} renders with its examples and passes check`, async () => {
      const overlay = await overlayNamed('/nonexistent', name);
      const vars = {};
      for (const [key, { needed, example }] of overlay.vars) if (needed) place(vars, key.split('.'), example);
      await withSite(siteWith([name], vars), async (site) => {
        assert.deepEqual(await checkTemplates(site), []);
      });
    });
  }
});

function place(into: Record<string, unknown>, [key = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) into[key] = value;
  else {
    into[key] ??= {};
    place(into[key] as Record<string, unknown>, rest, value);
  }
}

describe('names', () => {
  test('hosts has every node and names of the site', async () => {
    const text = textOf(await files('hosts', { hosts: { extra: { '10.0.0.10': 'controller' } } }), '/etc/hosts');
    assert.deepEqual(text.split('\n').slice(1), [
      '127.0.0.1\tlocalhost',
      '::1\tlocalhost ip6-localhost ip6-loopback',
      '10.0.0.51\tnode01.rack.example.org node01',
      '10.0.0.52\tnode02.rack.example.org node02',
      '10.0.0.10\tcontroller',
      '',
    ]);
    assert.doesNotMatch(textOf(await files('hosts', { hosts: { nodes: false } }), '/etc/hosts'), /node01\n/);
  });

  test('hostname is the name, with the domain if asked for', async () => {
    assert.equal(textOf(await files('hostname'), '/etc/hostname'), 'node01\n');
    const fqdn = await files('hostname', { hostname: { fqdn: true } });
    assert.equal(textOf(fqdn, '/etc/hostname'), 'node01.rack.example.org\n');
  });

  test('resolv has the network’s name servers, or those of the site', async () => {
    const lines = async (vars: object) =>
      textOf(await files('resolv', vars), '/etc/resolv.conf')
        .split('\n')
        .slice(1);
    assert.deepEqual(await lines({}), ['search rack.example.org', 'nameserver 10.0.0.9', '']);
    assert.deepEqual(
      await lines({
        resolv: { nameservers: ['10.0.0.7', '10.0.0.8'], search: ['a.org', 'b.org'], options: ['rotate'] },
      }),
      ['search a.org b.org', 'nameserver 10.0.0.7', 'nameserver 10.0.0.8', 'options rotate', ''],
    );
  });
});

describe('chrony', () => {
  const sources = async (vars: object, network = {}) =>
    textOf(await files('chrony', vars, network), '/etc/chrony/chrony.conf').match(/^(server|pool|allow) .*$/gm);

  test('asks the servers of the site, else the network’s, else a pool', async () => {
    assert.deepEqual(await sources({}), ['pool 2.debian.pool.ntp.org iburst']);
    assert.deepEqual(await sources({}, { ntp: ['10.0.0.8'] }), ['server 10.0.0.8 iburst']);
    const own = { chrony: { servers: ['ntp1.example.org'], allow: ['10.0.0.0/24'] } };
    assert.deepEqual(await sources(own, { ntp: ['10.0.0.8'] }), [
      'server ntp1.example.org iburst',
      'allow 10.0.0.0/24',
    ]);
  });

  test('a variable of another form is refused with what to write', async () => {
    assert.equal(
      await refusal('chrony', { chrony: { servers: '10.0.0.8' } }),
      'overlay chrony: vars.chrony.servers is a text, expected a list | Time servers; where empty, `ntp` of the ' +
        "node's network: write it under vars: of profile role, such as vars: { chrony: { servers: [] } }",
    );
  });
});

describe('ssh-keys', () => {
  test('lays one file of root’s for each user', async () => {
    const given = await files('ssh-keys', {
      ssh_keys: { root: ['ssh-ed25519 AAAA a', 'ssh-rsa BBBB b'], stack: ['x y'] },
    });
    assert.equal(textOf(given, '/etc/ssh/authorized_keys/root'), 'ssh-ed25519 AAAA a\nssh-rsa BBBB b\n');
    assert.equal(textOf(given, '/etc/ssh/authorized_keys/stack'), 'x y\n');
    assert.equal(given.get('/etc/ssh/authorized_keys/stack')?.origin, 'overlay ssh-keys (shipped)');
    assert(given.has('/etc/ssh/sshd_config.d/20-reveille-keys.conf'));
  });

  test('needs its variable', async () => {
    assert.match(
      await refusal('ssh-keys', {}),
      /^overlay ssh-keys: vars\.ssh_keys is missing \| .*profile role, such as vars: \{ ssh_keys: \{ root: /,
    );
  });
});

describe('identity', () => {
  test('ssh-host-keys lays each pair, the private half for root alone', async () => {
    const identity = await openIdentities(emptyStore()).of('node01', { rsa: true });
    const given = await withSite(siteWith(['ssh-host-keys'], {}), (site) => filesOf(site, 'node01', { identity }));
    const keys = Object.entries(identity.sshHostKeys) as [string, SshKey][];
    assert.equal(keys.length, 3);
    for (const [type, key] of keys) {
      const path = `/etc/ssh/ssh_host_${type}_key`;
      assert.equal(textOf(given, path), key.private);
      assert.equal(given.get(path)?.mode, 0o600);
      assert.equal(textOf(given, `${path}.pub`), `${key.public}\n`);
      assert.equal(given.get(`${path}.pub`)?.mode, 0o644);
    }
    const few = await files('ssh-host-keys', { ssh_host_keys: { types: ['ed25519'] } });
    assert.deepEqual([...few.keys()].filter((path) => path.includes('ssh_host')).length, 2);
  });

  test('the overlay identity names the node to iSCSI and NVMe', async () => {
    const identity = await openIdentities(emptyStore()).of('node01');
    const given = await withSite(siteWith(['identity'], {}), (site) => filesOf(site, 'node01', { identity }));
    assert.equal(textOf(given, '/etc/iscsi/initiatorname.iscsi'), `InitiatorName=${identity.iscsiInitiator}\n`);
    assert.equal(given.get('/etc/iscsi/initiatorname.iscsi')?.mode, 0o600);
    assert.equal(textOf(given, '/etc/nvme/hostnqn'), `${identity.nvmeHostNqn}\n`);
    assert.equal(textOf(given, '/etc/nvme/hostid'), `${identity.nvmeHostId}\n`);
  });

  test('only templates that look at it have one made, and RSA keys only for those that lay ssh keys', async () => {
    const asked = (...overlays: string[]) =>
      withSite(siteWith(overlays, {}), async (site) => {
        const node = site.nodes.get('node01');
        assert(node);
        return identityAsked((await readSources(site, node)).sources);
      });
    assert.equal(await asked('hosts', 'chrony'), undefined);
    assert.deepEqual(await asked('identity'), { rsa: false });
    assert.deepEqual(await asked('identity', 'ssh-host-keys'), { rsa: true });
  });
});

test("the site's own overlay hides the shipped one of its name, and check tells of what a shipped one lacks", async () => {
  const site = siteWith(['chrony', 'ssh-keys'], {});
  await withSite({ ...site, 'overlays/chrony/etc/chrony/chrony.conf': 'mine' }, async (loaded) => {
    const [finding, ...more] = await checkTemplates(loaded);
    assert.deepEqual(more, []);
    assert.match(finding?.message ?? '', /vars\.ssh_keys is missing/);
    assert.equal(finding?.place.file, 'site.yaml');
  });
  await withSite({ ...siteWith(['chrony'], {}), 'overlays/chrony/etc/chrony/chrony.conf': 'mine' }, async (loaded) => {
    const given = await filesOf(loaded);
    assert.equal(textOf(given, '/etc/chrony/chrony.conf'), 'mine');
    assert.equal(given.get('/etc/chrony/chrony.conf')?.origin, 'overlay chrony');
  });
});
