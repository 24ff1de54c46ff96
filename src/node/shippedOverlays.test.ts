import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import { emptyStore } from '../state/testing/fakes.ts';
import { checkTemplates } from './check.ts';
import { Identities, SAMPLE_IDENTITY } from './identity.ts';
import type { SshKey } from './opensshKey.ts';
import { overlayNamed, overlayNames } from './overlays.ts';
import { askedBy } from './render.ts';
import { readSources } from './sources.ts';
import { FULL_NET, SIX_CARDS, TWO_CARDS } from './testing/machineFixture.ts';
import { filesOf, siteWith, textOf, withSite } from './testing/renderFixture.ts';

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
      for (const [key, declared] of vars) {
        assert(declared.about.length > 5, key);
        assert(!declared.needed || declared.example !== undefined, `${key} is needed, so it has an example`);
      }
      // What templates read of `vars` is what overlay.yaml declares.
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

    test(`${name} leaves services alone that an image does not have, or that wait for the node's files`, async () => {
      const { hooks } = await overlayNamed('/nonexistent', name);
      // Stands for a machine with no such unit.
      const without = 'systemctl() { [ "$1" = daemon-reload ] || return 4; }; ';
      for (const { run } of hooks.filter(
        (hook) => /systemctl .*(restart|reload-or)/.test(hook.run) && !/networkctl/.test(hook.run),
      ))
        execFileSync('sh', ['-c', `${without}${run}`]);
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

test('a variable that may only be one of a few is held to them, a list item by item', async () => {
  const cases: readonly (readonly [string, object, string])[] = [
    [
      'libvirtd',
      { libvirtd: { listen: 'ssl' } },
      'overlay libvirtd: vars.libvirtd.listen is "ssl", expected auto, none, tls, tcp',
    ],
    [
      'ssh-host-keys',
      { ssh_host_keys: { types: ['ed25519', 'dsa'] } },
      'overlay ssh-host-keys: vars.ssh_host_keys.types is "dsa", expected ed25519, ecdsa, rsa',
    ],
  ];
  for (const [overlay, vars, words] of cases) assert.equal((await refusal(overlay, vars)).split(' | ')[0], words);
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
    const identity = await new Identities(emptyStore().identities).of('node01', { rsa: true });
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
    const identity = await new Identities(emptyStore().identities).of('node01');
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
        return askedBy(node, (await readSources(site, node)).sources);
      });
    const nothing = { rsa: false, nova: false, tls: false };
    assert.deepEqual(await asked('hosts', 'chrony'), { peers: false });
    assert.deepEqual(await asked('identity'), { identity: nothing, peers: false });
    assert.deepEqual(await asked('identity', 'ssh-host-keys'), { identity: { ...nothing, rsa: true }, peers: false });
    assert.deepEqual(await asked('nova-ssh'), { identity: { ...nothing, nova: true }, peers: true });
  });
});

describe('a compute node', () => {
  const vars = {
    net: FULL_NET,
    openstack: { controller: 'controller' },
    nova: {
      transport_url: 'rabbit://openstack:secret@controller:5672/',
      password: 'one',
      placement_password: 'two',
      neutron_password: 'three',
      migration_link: 'storage',
      extra: {
        DEFAULT: { cpu_allocation_ratio: 4 },
        libvirt: { disk_cachemodes: 'network=writeback' },
        pci: { alias: '{}' },
      },
    },
    neutron: {
      transport_url: 'rabbit://openstack:secret@controller:5672/',
      provider_networks: { flat: 'second', external: 'br-provider' },
      tunnel_link: 'storage',
    },
    libvirtd: { listen: 'tls' },
  };
  const given = (overlay: string, more: object = {}) =>
    withSite(siteWith([overlay], { ...vars, ...more }), (site) => filesOf(site, 'node01', { facts: SIX_CARDS }));

  test('nova.conf says where this node is, where the services are and how instances move', async () => {
    const given1 = await given('nova-compute');
    const nova = ini(textOf(given1, '/etc/nova/nova.conf'));
    const of = (section: string, option: string) => nova.get(section)?.get(option);
    assert.equal(of('DEFAULT', 'my_ip'), '10.0.0.51');
    assert.equal(of('DEFAULT', 'host'), 'node01');
    assert.equal(of('DEFAULT', 'cpu_allocation_ratio'), '4');
    assert.equal(of('vnc', 'server_proxyclient_address'), '10.0.0.51');
    assert.equal(of('vnc', 'novncproxy_base_url'), 'http://controller:6080/vnc_auto.html');
    assert.deepEqual(
      ['service_user', 'placement', 'neutron'].map((one) => [of(one, 'username'), of(one, 'password')]),
      [
        ['nova', 'one'],
        ['placement', 'two'],
        ['neutron', 'three'],
      ],
    );
    assert.equal(of('libvirt', 'live_migration_scheme'), 'tls');
    assert.equal(of('libvirt', 'live_migration_with_native_tls'), 'true');
    assert.equal(of('libvirt', 'live_migration_inbound_addr'), '10.1.20.51');
    assert.equal(of('libvirt', 'disk_cachemodes'), 'network=writeback');
    assert.equal(of('pci', 'alias'), '{}');
    assert.equal(given1.get('/etc/nova/nova.conf')?.mode, 0o640);
    assert.equal(given1.get('/etc/nova/nova.conf')?.group, 'nova');
    assert.equal(textOf(given1, '/var/lib/nova/compute_id'), `${SAMPLE_IDENTITY.computeId}\n`);
    const ssh = ini(
      textOf(await given('nova-compute', { nova: { ...vars.nova, live_migration: 'ssh' } }), '/etc/nova/nova.conf'),
    );
    assert.equal(
      ssh.get('libvirt')?.get('live_migration_uri'),
      'qemu+ssh://nova@%s/system?keyfile=/var/lib/nova/.ssh/id_ed25519&no_tty=1',
    );
    assert.equal(ssh.get('libvirt')?.get('live_migration_scheme'), undefined);
    assert.equal(ssh.get('libvirt')?.get('live_migration_with_native_tls'), 'true');
    const clear = { nova: { ...vars.nova, live_migration: 'tcp' } };
    const tcp = ini(textOf(await given('nova-compute', clear), '/etc/nova/nova.conf')).get('libvirt');
    assert.equal(tcp?.get('live_migration_scheme'), 'tcp');
    assert.equal(tcp?.get('live_migration_with_native_tls'), undefined);
  });

  test('each key that nova-compute needs is asked for by name', async () => {
    for (const key of ['openstack.controller', 'nova.transport_url', 'nova.password', 'nova.neutron_password']) {
      const without = structuredClone(vars) as Record<string, Record<string, unknown>>;
      const [map = '', name = ''] = key.split('.');
      delete without[map]?.[name];
      await assert.rejects(
        withSite(siteWith(['nova-compute'], without), (site) => filesOf(site, 'node01', { facts: SIX_CARDS })),
        (error) => {
          assert(error instanceof ReveilleError);
          assert.equal(error.message, `overlay nova-compute: vars.${key} is missing`);
          assert.match(error.hint ?? '', /write it under vars: of profile role, such as vars: \{ /);
          assert.equal(error.place?.file, 'site.yaml');
          return true;
        },
      );
    }
  });

  test('the linuxbridge agent knows its tunnel address, its cards and its bridges', async () => {
    const files = await given('neutron-linuxbridge');
    const agent = ini(textOf(files, '/etc/neutron/plugins/ml2/linuxbridge_agent.ini'));
    assert.deepEqual(
      [...(agent.get('linux_bridge') ?? [])],
      [
        ['physical_interface_mappings', 'flat:eno2'],
        ['bridge_mappings', 'external:br-provider'],
      ],
    );
    assert.equal(agent.get('vxlan')?.get('local_ip'), '10.1.20.51');
    assert.equal(ini(textOf(files, '/etc/neutron/neutron.conf')).get('experimental')?.get('linuxbridge'), 'true');
    const two = await withSite(
      siteWith(['neutron-linuxbridge'], {
        neutron: { ...vars.neutron, tunnel_link: 'main', provider_networks: { flat: 'second' } },
      }),
      (site) => filesOf(site, 'node01', { facts: TWO_CARDS }),
    );
    const simple = ini(textOf(two, '/etc/neutron/plugins/ml2/linuxbridge_agent.ini'));
    assert.equal(simple.get('linux_bridge')?.get('physical_interface_mappings'), 'flat:eth1');
    assert.equal(simple.get('vxlan')?.get('local_ip'), '10.0.0.51');
  });

  test('the Open vSwitch agent has a bridge for each provider network', async () => {
    const files = await given('neutron-openvswitch');
    const agent = ini(textOf(files, '/etc/neutron/plugins/ml2/openvswitch_agent.ini'));
    assert.equal(agent.get('ovs')?.get('bridge_mappings'), 'flat:br-flat,external:br-external');
    assert.equal(agent.get('ovs')?.get('local_ip'), '10.1.20.51');
    assert.equal(agent.get('agent')?.get('tunnel_types'), 'vxlan');
    const script = files.get('/usr/local/sbin/reveille-ovs-bridges');
    assert.equal(script?.mode, 0o755);
    const text = textOf(files, script?.path ?? '');
    assert.match(text, /^#!\/bin\/sh\n/);
    assert.match(text, /add-br 'br-flat' -- --may-exist add-port 'br-flat' 'eno2'$/m);
    execFileSync('sh', ['-n', '-c', text]);
    assert.equal(textOf(files, '/etc/openvswitch/system-id.conf'), `${SAMPLE_IDENTITY.ovsSystemId}\n`);
  });

  test('a bridge of a provider network may have a name of its own, in the agent and on the node', async () => {
    const files = await given('neutron-openvswitch', {
      neutron: { ...vars.neutron, bridges: { external: 'br-ex' } },
    });
    const agent = ini(textOf(files, '/etc/neutron/plugins/ml2/openvswitch_agent.ini'));
    assert.equal(agent.get('ovs')?.get('bridge_mappings'), 'flat:br-flat,external:br-ex');
    assert.match(textOf(files, '/usr/local/sbin/reveille-ovs-bridges'), /add-port 'br-ex' 'br-provider'$/m);
  });

  test('no link that the node needs goes into a bridge of Open vSwitch', async () => {
    const cases: readonly (readonly [object, string, RegExp])[] = [
      [{}, 'main', /network flat is on main, which has an address of this node/],
      [{ vlans: { flat: { id: 7 } } }, 'flat', /^rendered$/],
      [{ vlans: { flat: { id: 7, subnet: '10.1.0.0/24' } } }, 'flat', /is on flat, which has an address/],
      [{ nics: { two: { on: 2, address: 'dhcp' } } }, 'two', /is on two, which has an address/],
      [{ bonds: { bond0: { on: [2, 3] } } }, 'nic2', /is on nic2, which is a part of bond0/],
      [{ bonds: { bond0: { on: [2, 3] } } }, 'bond0', /^rendered$/],
    ];
    for (const [net, on, words] of cases) {
      const neutron = { ...vars.neutron, tunnel_link: 'main', provider_networks: { flat: on } };
      const outcome = await given('neutron-openvswitch', { net, neutron }).then(
        () => 'rendered',
        (error: ReveilleError) => error.message,
      );
      assert.match(outcome, words);
    }
  });

  test('libvirtd has its own host UUID and listens as set', async () => {
    const files = await given('libvirtd');
    assert.match(
      textOf(files, '/etc/libvirt/libvirtd.conf'),
      new RegExp(`^host_uuid = "${SAMPLE_IDENTITY.libvirtUuid}"$`, 'm'),
    );
    const dropIn = '/etc/systemd/system/libvirtd.service.d/reveille.conf';
    assert.match(
      textOf(files, dropIn),
      /^\[Unit\]\n#.*\nRequires=libvirtd-tls\.socket\nAfter=libvirtd-tls\.socket\n$/m,
    );
    const quiet = textOf(await given('libvirtd', { libvirtd: { notify: false, listen: 'none' } }), dropIn);
    assert.match(quiet, /^\[Service\]\nType=simple\n$/m);
    assert.doesNotMatch(quiet, /Requires/);
  });

  test('libvirtd listens as instances move, and has a certificate unless all goes in the clear', async () => {
    const cases: readonly (readonly [string, string | undefined, string, boolean])[] = [
      ['tls', undefined, 'tls', true],
      ['ssh', undefined, 'none', true],
      ['tcp', undefined, 'tcp', false],
      ['tls', 'none', 'none', true],
      ['tcp', 'tls', 'tls', true],
    ];
    for (const [moves, declared, listens, hasCertificate] of cases) {
      const listen = declared === undefined ? {} : { listen: declared };
      const files = await given('libvirtd', { nova: { live_migration: moves }, libvirtd: listen });
      const socket = /^Requires=libvirtd-(\w+)\.socket$/m;
      const dropIn = textOf(files, '/etc/systemd/system/libvirtd.service.d/reveille.conf');
      const conf = textOf(files, '/etc/libvirt/libvirtd.conf');
      assert.equal(socket.exec(dropIn)?.[1] ?? 'none', listens, `${moves} ${declared}`);
      assert.equal(/^auth_(tls|tcp) = "none"$/m.exec(conf)?.[1] ?? 'none', listens);
      assert.equal(/^ca_file = /m.test(conf), listens === 'tls');
      const pki = [...files.keys()].filter((path) => path.startsWith('/etc/pki/'));
      assert.equal(pki.length, hasCertificate ? 10 : 0, `${moves} ${declared}`);
    }
    const own = { ca: 'authority\n', certificate: 'certificate\n', key: 'secret\n' };
    const files = await withSite(siteWith(['libvirtd'], {}), (site) =>
      filesOf(site, 'node01', { identity: { ...SAMPLE_IDENTITY, tls: own } }),
    );
    for (const [path, file] of files) {
      if (!path.startsWith('/etc/pki/')) continue;
      const text = textOf(files, path);
      assert.equal(text, /key\.pem$/.test(path) ? own.key : /\/ca-?cert/.test(path) ? own.ca : own.certificate, path);
      const readers = text !== own.key ? '644 root' : path.includes('/qemu/') ? '640 libvirt-qemu' : '600 root';
      assert.equal(`${file.mode.toString(8)} ${file.group}`, readers, path);
    }
  });

  test('every option is one that the programs know, under its section', async () => {
    const known = knownOptions();
    const cases: readonly (readonly [string, string, string])[] = [
      ['nova', 'nova-compute', '/etc/nova/nova.conf'],
      ['nova', 'nova-compute', '/etc/nova/nova-compute.conf'],
      ['neutron', 'neutron-linuxbridge', '/etc/neutron/neutron.conf'],
      ['neutron', 'neutron-openvswitch', '/etc/neutron/neutron.conf'],
      ['linuxbridge_agent', 'neutron-linuxbridge', '/etc/neutron/plugins/ml2/linuxbridge_agent.ini'],
      ['openvswitch_agent', 'neutron-openvswitch', '/etc/neutron/plugins/ml2/openvswitch_agent.ini'],
      ['libvirtd', 'libvirtd', '/etc/libvirt/libvirtd.conf'],
    ];
    for (const [program, overlay, path] of cases) {
      const { extra: _, ...nova } = vars.nova;
      for (const [section, options] of ini(textOf(await given(overlay, { nova }), path)))
        for (const option of options.keys())
          assert(known.get(`${program} [${section}]`)?.has(option), `${path} [${section}] ${option}`);
    }
  });
});

/** Sections of an INI file; what stands before the first is in the section without a name. */
function ini(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = '';
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const name = /^\[(.+)\]$/.exec(line)?.[1];
    if (name !== undefined) {
      assert(!sections.has(name), `section ${name} stands twice`);
      sections.set(name, new Map());
      section = name;
      continue;
    }
    const [, option = '', value = ''] =
      /^(\w+) = ?(.*)$/.exec(line) ?? assert.fail(`not a line of an INI file: ${line}`);
    const options = sections.get(section) ?? new Map<string, string>();
    sections.set(section, options);
    assert(!options.has(option), `${option} stands twice in ${section}`);
    options.set(option, value);
  }
  return sections;
}

/** By program and section: see the head of the file. */
function knownOptions(): ReadonlyMap<string, ReadonlySet<string>> {
  const text = readFileSync(join(import.meta.dirname, 'openstackOptions.txt'), 'utf8');
  return new Map(
    [...text.matchAll(/^(\w+ \[.*?\]) (.*)$/gm)].map(([, where = '', names = '']) => [
      where,
      new Set(names.split(' ')),
    ]),
  );
}

describe('files of the system', () => {
  test('fstab-nfs lists the mounts, each with its options', async () => {
    const mounts = [
      { from: '10.0.0.10:/srv/instances', to: '/var/lib/nova/instances' },
      { from: '10.0.0.10:/srv/iso', to: '/srv/iso', options: 'ro' },
    ];
    const fstab = textOf(await files('fstab-nfs', { nfs: { mounts, version: 4.2 } }), '/etc/fstab');
    assert.deepEqual(fstab.trimEnd().split('\n').slice(1), [
      '10.0.0.10:/srv/instances /var/lib/nova/instances nfs hard,_netdev,nofail,vers=4.2 0 0',
      '10.0.0.10:/srv/iso /srv/iso nfs ro,vers=4.2 0 0',
    ]);
  });

  test('rsyslog-forward names the server', async () => {
    const conf = await files('rsyslog-forward', { syslog: { server: '10.0.0.10', protocol: 'tcp' } });
    const text = textOf(conf, '/etc/rsyslog.d/90-reveille-forward.conf');
    assert.match(
      text,
      /^\*\.\* action\(\n {2}type="omfwd"\n {2}target="10\.0\.0\.10"\n {2}port="514"\n {2}protocol="tcp"$/m,
    );
  });
});

test("the site's own overlay hides the shipped one of its name, and check reports what a shipped one lacks", async () => {
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
