import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FULL_NET, SIMPLE_NET, SIX_CARDS, TWO_CARDS } from '../../src/node/testing/machineFixture.ts';
import { lay, run } from './overlays.rig.ts';

// What the shipped overlays lay is read by the programs that it is for.

describe('netplan generates from the overlay netplan', () => {
  const generated = async (net: object, facts: typeof SIX_CARDS) => {
    await using laid = await lay(['netplan'], { net }, facts);
    assert.equal(run('netplan', 'generate', '--root-dir', laid.root), '');
    const folder = laid.at('/run/systemd/network');
    return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  };

  test('two cards: main static, the second in the bridge', async () => {
    const files = await generated(SIMPLE_NET, TWO_CARDS);
    assert.deepEqual([...files.keys()].sort(), [
      '10-netplan-br-ex.netdev',
      '10-netplan-br-ex.network',
      '10-netplan-main.network',
      '10-netplan-nic2.network',
    ]);
    const main = files.get('10-netplan-main.network') ?? '';
    assert.match(main, /^PermanentMACAddress=52:54:00:00:00:51$/m);
    assert.match(main, /^Address=10\.0\.0\.51\/24$/m);
    assert.match(main, /^Gateway=10\.0\.0\.1$/m);
    assert.match(main, /^DNS=10\.0\.0\.9$/m);
    assert.match(files.get('10-netplan-nic2.network') ?? '', /^Bridge=br-ex$/m);
  });

  test('six cards: bond, bridge, VLANs, MTU and routes', async () => {
    const files = await generated(FULL_NET, SIX_CARDS);
    assert.match(files.get('10-netplan-bond0.netdev') ?? '', /^Mode=802\.3ad$/m);
    assert.match(files.get('10-netplan-nic4.network') ?? '', /^Bond=bond0$/m);
    assert.match(files.get('10-netplan-nic5.network') ?? '', /^Bond=bond0$/m);
    assert.match(files.get('10-netplan-bond0.network') ?? '', /^Bridge=br-provider$/m);
    assert.match(files.get('10-netplan-storage.netdev') ?? '', /^Id=120$/m);
    assert.match(files.get('10-netplan-storage.network') ?? '', /^Address=10\.1\.20\.51\/24$/m);
    assert.match(files.get('10-netplan-backup.network') ?? '', /^Destination=10\.10\.0\.0\/16$/m);
    assert.match(files.get('10-netplan-main.network') ?? '', /^VLAN=mgmt$/m);
  });

  test('nothing said: DHCP on the boot card', async () => {
    const files = await generated({}, TWO_CARDS);
    assert.deepEqual([...files.keys()], ['10-netplan-main.network']);
    assert.match(files.get('10-netplan-main.network') ?? '', /^DHCP=ipv4$/m);
  });
});

describe('systemd-networkd reads the overlay networkd', () => {
  // A machine of its own with cards of these names, on which networkd runs until `done` says so, or for 15 s.
  const brought = async (net: object, facts: typeof SIX_CARDS, done: string) => {
    await using laid = await lay(['networkd'], { net }, facts);
    const folder = laid.at('/etc/systemd/network');
    for (const name of readdirSync(folder)) {
      const text = readFileSync(join(folder, name), 'utf8');
      // Made-up cards have no address from a factory.
      writeFileSync(join(folder, name), text.replace('PermanentMACAddress=', 'MACAddress='));
    }
    const cards = facts.nics.map(
      ({ name, mac }) => `ip link add ${name} address ${mac} type veth peer name ${name}-p; ip link set ${name}-p up`,
    );
    const seen = run(
      'unshare',
      '--net',
      '--mount',
      'sh',
      '-euc',
      `${cards.join('\n')}
       mount -t tmpfs tmpfs /run
       mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases
       cp ${folder}/* /run/systemd/network
       chown -R systemd-network /run/systemd/netif
       echo docker > /run/systemd/container
       mount -o remount,ro /sys
       SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-networkd >/run/log 2>&1 & pid=$!
       for i in $(seq 60); do { ${done}; } >/dev/null 2>&1 && break; sleep 0.25; done
       kill $pid
       cat /run/log; echo SEEN; ip -4 -br addr; ip link; ip route`,
    );
    const [log = '', state = ''] = seen.split(/^SEEN$/m);
    assert.match(log, /found matching network/, log);
    // `03-main.network:12: Unknown key name 'Adress' in section 'Network', ignoring.`
    assert.doesNotMatch(log, /\.(network|netdev):\d+: /);
    return { log, state };
  };

  test('two cards: main static with its MTU and route, the second in the bridge', async () => {
    const net = {
      main: { address: 'static', mtu: 1400, routes: [{ to: '10.10.0.0/16', via: '10.0.0.7' }] },
      bridge: {},
    };
    const { state } = await brought(
      net,
      TWO_CARDS,
      '[ -n "$(ip route show 10.10.0.0/16)" ] && ip link show eth1 | grep br-provider',
    );
    assert.match(state, /^eth0@\S+ .* 10\.0\.0\.51\/24 *$/m);
    assert.match(state, /eth0@\S+: .*mtu 1400/);
    assert.match(state, /^default via 10\.0\.0\.1 dev eth0/m);
    assert.match(state, /^10\.10\.0\.0\/16 via 10\.0\.0\.7 dev eth0/m);
    assert.match(state, /eth1@\S+: .*master br-provider/);
  });

  test('six cards with bond and VLANs: every key is known', async () => {
    const { state } = await brought(FULL_NET, SIX_CARDS, 'ip -4 addr show | grep 10.9.0.51');
    // Not every kernel that tests run on can make bonds and VLANs; the addresses of cards it can set.
    assert.match(state, /^ens2f1@\S+ .* 10\.9\.0\.51\/24 *$/m);
  });
});

describe('ifupdown reads the overlay ifupdown', () => {
  test('ifquery lists every link, and ifup would run what brings it up', async () => {
    await using laid = await lay(['ifupdown'], { net: FULL_NET }, SIX_CARDS);
    const interfaces = laid.at('/etc/network/interfaces');
    assert.deepEqual(run('ifquery', `--interfaces=${interfaces}`, '--list').trim().split('\n'), [
      'lo',
      'ens1f0',
      'ens2f1',
      'ens1f1',
      'ens2f0',
      'bond0',
      'br-provider',
      'storage',
      'mgmt',
    ]);
    const up = (name: string) => run('ifup', '-n', '--force', `--interfaces=${interfaces}`, name);
    assert.match(up('ens1f0'), /ip addr add 10\.0\.0\.51\/255\.255\.255\.0 .*dev ens1f0/);
    assert.match(up('bond0'), /ip link add bond0 type bond mode 802\.3ad/);
    assert.match(up('bond0'), /ip link set dev ens2f0 master bond0/);
    assert.match(up('br-provider'), /ip link set dev bond0 master br-provider/);
    assert.match(up('storage'), /ip link add link bond0 name storage type vlan id 120/);
    assert.match(up('mgmt'), /ip address replace 10\.3\.0\.51\/16 dev mgmt/);
  });
});

describe('the small ones', () => {
  test('chronyd takes chrony.conf', async () => {
    await using laid = await lay(['chrony'], { chrony: { servers: ['10.0.0.8'], allow: ['10.0.0.0/24'] } });
    assert.match(run('chronyd', '-p', '-f', laid.at('/etc/chrony/chrony.conf')), /^server 10\.0\.0\.8 iburst$/m);
  });

  test('sshd takes the host keys and the file of keys for users', async () => {
    await using laid = await lay(['ssh-host-keys', 'ssh-keys'], { ssh_keys: { root: ['ssh-ed25519 AAAA a'] } });
    const types = ['ed25519', 'ecdsa', 'rsa'];
    const config = laid.at('/sshd_config');
    mkdirSync('/run/sshd', { recursive: true });
    writeFileSync(
      config,
      [
        `Include ${laid.at('/etc/ssh/sshd_config.d')}/*.conf`,
        ...types.map((type) => `HostKey ${laid.at(`/etc/ssh/ssh_host_${type}_key`)}`),
        '',
      ].join('\n'),
    );
    assert.equal(run('/usr/sbin/sshd', '-t', '-f', config), '');
    const effective = run('/usr/sbin/sshd', '-T', '-f', config);
    assert.match(effective, /^authorizedkeysfile \.ssh\/authorized_keys \/etc\/ssh\/authorized_keys\/%u$/m);
    assert.equal(effective.match(/^hostkey /gm)?.length, 3);
    for (const type of types) {
      const key = laid.at(`/etc/ssh/ssh_host_${type}_key`);
      assert.equal(run('ssh-keygen', '-y', '-f', key), readFileSync(`${key}.pub`, 'utf8'));
    }
  });

  test('findmnt finds nothing wrong in fstab', async () => {
    const mounts = [{ from: '10.0.0.10:/srv/instances', to: '/mnt' }]; // a folder that there is: the hook makes others
    await using laid = await lay(['fstab-nfs'], { nfs: { mounts } });
    const said = run('findmnt', '--verify', '--verbose', '--tab-file', laid.at('/etc/fstab'), '--evaluate');
    assert.match(said, /^\/mnt$/m);
    assert.doesNotMatch(said, /\[E\]|\[W\]/);
  });

  test('a share of another owner is reported, and its owner’s is taken', async () => {
    const share = mkdtempSync(join(tmpdir(), 'reveille-share-'));
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', share]);
    try {
      const script = async (owner: string) => {
        await using laid = await lay(['fstab-nfs'], { nfs: { mounts: [{ from: '10.0.0.10:/x', to: share, owner }] } });
        const path = laid.at('/usr/local/sbin/reveille-nfs-mounts');
        assert.equal(run('shellcheck', path), '');
        return spawnSync(path, { encoding: 'utf8' });
      };
      assert.equal((await script('root')).status, 0);
      const { status, stderr } = await script('daemon');
      assert.equal(status, 1);
      assert.equal(stderr, `${share} belongs to root (0:0), not to daemon: on the server, chown 1:1\n`);
    } finally {
      execFileSync('umount', [share]);
      rmdirSync(share);
    }
  });

  test('rsyslogd takes the forwarding', async () => {
    await using laid = await lay(['rsyslog-forward'], { syslog: { server: '10.0.0.10' } });
    const said = run('rsyslogd', '-N1', '-f', laid.at('/etc/rsyslog.d/90-reveille-forward.conf'));
    assert.match(said, /End of config validation run/);
    assert.doesNotMatch(said, /error|warning/i);
  });

  test('sh and systemd read what the OpenStack overlays lay beside', async () => {
    const neutron = { transport_url: 'rabbit://', provider_networks: { provider: 'second' } };
    await using laid = await lay(
      ['neutron-openvswitch', 'libvirtd'],
      { neutron, libvirtd: { listen: 'tls' } },
      TWO_CARDS,
    );
    assert.equal(run('sh', '-n', laid.at('/usr/local/sbin/reveille-ovs-bridges')), '');
    assert.equal(run('shellcheck', laid.at('/usr/local/sbin/reveille-ovs-bridges')), '');
    const units = laid.at('/etc/systemd/system');
    writeFileSync(join(units, 'libvirtd.service'), '[Service]\nType=notify\nExecStart=/bin/true\n');
    writeFileSync(join(units, 'libvirtd-tls.socket'), '[Socket]\nListenStream=16514\nService=libvirtd.service\n');
    const said = run(
      'env',
      `SYSTEMD_UNIT_PATH=${units}:`,
      'systemd-analyze',
      'verify',
      '--man=no',
      join(units, 'libvirtd.service'),
    );
    assert.doesNotMatch(said, /libvirtd/);
  });
});
