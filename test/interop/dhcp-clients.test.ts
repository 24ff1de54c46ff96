import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DhcpSite } from '../../src/dhcp/site.ts';
import { ip } from '../../src/site/testing/fixture.ts';
import { serverTroubleText } from '../../src/words/trouble.ts';
import {
  addMachine,
  addressesOf,
  clientScript,
  layBridge,
  memoryStore,
  NODE_MAC,
  networkdCommand,
  rackSite,
  requireTools,
  run,
  serve,
  sh,
  start,
  tidy,
  until,
} from './dhcp.rig.ts';

requireTools('dhclient', 'udhcpc', 'dhcpcd', 'tcpdump', '/lib/systemd/systemd-networkd');

const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-'));
const notes = join(folder, 'notes');
const script = clientScript(join(folder, 'script'), notes);
const noted = (): string => (existsSync(notes) ? readFileSync(notes, 'utf8') : '');
const forgetNotes = (): void => rmSync(notes, { force: true });

before(layBridge);
beforeEach(forgetNotes);
afterEach(tidy);
// Where an address moves from one machine to another, the kernel may know the old one for a while.
afterEach(() => sh('ip neigh flush dev br0'));
after(() => {
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

/** dhclient in the foreground, with its lease file in the test's folder. */
function dhclient(machine: string, ...more: string[]): string[] {
  return [
    'dhclient',
    '-d',
    '-v',
    '-sf',
    script,
    '-lf',
    join(folder, `${machine}.leases`),
    '-pf',
    join(folder, 'pid'),
    ...more,
  ];
}

function udhcpc(...more: string[]): string[] {
  return ['udhcpc', '-f', '-i', 'eth0', '-s', script, '-t', '5', '-T', '1', ...more];
}

/** A broadcast of one that has an address, as tcpdump prints it. */
const REBINDING = /> 255\.255\.255\.255\.67:.*\n\t {2}Client-IP 192\.168\.0\.111/;

describe('dhclient', () => {
  test('a node is given its address, name and options, comes back after a restart, and gives the address back', async () => {
    addMachine('node01', NODE_MAC);
    const store = memoryStore();
    const { events, kinds } = await serve(rackSite(), store);
    const first = start('node01', ...dhclient('node01', 'eth0'));
    await until('address', 20, () => addressesOf('node01').includes('10.0.0.51'), first.output);
    await first.stop('SIGKILL');
    for (const told of [
      'new_host_name=node01',
      'new_domain_name=rack.example',
      'new_domain_name_servers=10.0.0.3',
      'new_ntp_servers=10.0.0.4',
      'new_interface_mtu=1400',
      'new_broadcast_address=10.0.0.255',
      'new_rfc3442_classless_static_routes=16 10 1 10 0 0 1 0 10 0 0 1',
      'new_domain_search=rack.example. example.org.',
      'new_dhcp_server_identifier=10.0.0.2',
    ]) {
      assert.ok(noted().includes(told), `${told} in\n${noted()}`);
    }
    assert.deepEqual(kinds(), ['discover', 'offer', 'request', 'ack']);
    assert.deepEqual(
      store.committed.map(({ mac, network, state }) => [mac, network, state]),
      [[NODE_MAC, 'rack', 'bound']],
    );

    events.length = 0;
    const second = start('node01', ...dhclient('node01', 'eth0'));
    await until('address again', 20, () => kinds().includes('ack'), second.output);
    await second.stop('SIGKILL');
    assert.deepEqual(kinds(), ['request', 'ack'], 'INIT-REBOOT asks for what it had');

    await run('node01', 10, ...dhclient('node01', '-r', 'eth0'));
    await until('release', 5, () => kinds().includes('release'));
    assert.equal(store.committed.at(-1)?.state, 'released');
  });

  test('renews with its server and, once that is gone, rebinds with another that knows the lease', async () => {
    addMachine('stranger', '52:54:00:00:0a:01');
    const store = memoryStore();
    const site = rackSite(16);
    const first = await serve(site, store);
    const wire = start('stranger', 'tcpdump', '--immediate-mode', '-lnvi', 'eth0', 'udp port 67');
    await until('tcpdump', 10, () => wire.output().includes('listening'), wire.output);
    const impatient = join(folder, 'impatient.conf');
    writeFileSync(impatient, 'initial-interval 1;\nbackoff-cutoff 1;\n');
    const client = start('stranger', ...dhclient('stranger', '-cf', impatient, 'eth0'));
    await until('address', 20, () => addressesOf('stranger').includes('192.168.0.111'), client.output);
    first.events.length = 0;
    await until('renewal', 14, () => noted().includes('== RENEW'), client.output);
    assert.deepEqual(new Set(first.kinds()), new Set(['request', 'ack']));
    assert.match(wire.output(), /192\.168\.0\.111\.68 > 192\.168\.0\.2\.67/);
    assert.doesNotMatch(wire.output(), REBINDING);

    await first.server.close();
    sh('ip addr del 192.168.0.2/24 dev br0; ip addr add 192.168.0.3/24 dev br0');
    const lan = site.networks.get('lan') ?? assert.fail();
    const moved = { ...site, networks: new Map([['lan', { ...lan, server: ip('192.168.0.3') }]]) };
    const second = await serve(moved, memoryStore(store.committed.slice(-1)));
    await until(
      'rebinding',
      20,
      () => client.output().includes('DHCPACK of 192.168.0.111 from 192.168.0.3'),
      client.output,
    );
    sh('ip addr del 192.168.0.3/24 dev br0; ip addr add 192.168.0.2/24 dev br0');
    assert.match(wire.output(), REBINDING);
    assert.deepEqual(addressesOf('stranger'), ['192.168.0.111']);
    assert.deepEqual(new Set(second.kinds()), new Set(['request', 'ack']));
  });

  test('comes from another network with an address that is wrong here: refused, and given a right one', async () => {
    addMachine('mover', '52:54:00:00:0a:02');
    writeFileSync(
      join(folder, 'mover.leases'),
      `lease { interface "eth0"; fixed-address 172.16.5.5; option subnet-mask 255.255.255.0; option dhcp-lease-time 99999;
        option dhcp-server-identifier 172.16.5.1; renew 5 2037/01/01 00:00:00; rebind 5 2037/01/01 00:00:00;
        expire 5 2037/01/01 00:00:00; }\n`,
    );
    const { kinds } = await serve(rackSite());
    const client = start('mover', ...dhclient('mover', 'eth0'));
    await until('address', 20, () => addressesOf('mover').includes('192.168.0.111'), client.output);
    assert.deepEqual(kinds(), ['request', 'nak', 'discover', 'offer', 'request', 'ack']);
  });

  test('asks for what the site has (INFORM) without a lease', async () => {
    addMachine('asker', '52:54:00:00:0a:03');
    sh('ip -n asker addr add 192.168.0.30/24 dev eth0');
    const { kinds } = await serve(rackSite());
    const client = start('asker', 'dhcpcd', '-B', '-4', '--inform=192.168.0.30/24', '-c', script, '--noipv4ll', 'eth0');
    await until('answer', 15, () => kinds().includes('ack'), client.output);
    assert.deepEqual(kinds().slice(0, 2), ['inform', 'ack']);
  });
});

describe('udhcpc', () => {
  test('a stranger is given an address of the pool for strangers, and gives it back', async () => {
    addMachine('guest', '52:54:00:00:0b:01');
    const { kinds } = await serve(rackSite());
    const client = start('guest', ...udhcpc());
    await until('address', 15, () => addressesOf('guest').includes('192.168.0.111'), client.output);
    // The client drops its address right behind the RELEASE, and with it what waits for an answer to ARP.
    await run('guest', 5, 'busybox', 'ping', '-c', '1', '192.168.0.2');
    client.child.kill('SIGUSR2');
    await until('release', 5, () => kinds().includes('release'), client.output);
    assert.deepEqual(kinds(), ['discover', 'offer', 'request', 'ack', 'release']);
  });

  test('declines an address that another machine uses, which is set aside; it gets the next', async () => {
    addMachine('squatter', '52:54:00:00:0b:02');
    addMachine('guest', '52:54:00:00:0b:03');
    sh('ip -n squatter addr add 192.168.0.111/24 dev eth0');
    const store = memoryStore();
    const { kinds } = await serve(rackSite(), store);
    const client = start('guest', ...udhcpc('-a'));
    await until('address', 25, () => addressesOf('guest').includes('192.168.0.112'), client.output);
    assert.ok(kinds().includes('decline'));
    assert.equal(store.committed.filter(({ state }) => state === 'declined').length, 1);
  });

  for (const probe of ['arp', 'icmp'] as const) {
    test(`is not even offered that address where the server looks first, by ${probe}`, async () => {
      addMachine('squatter', '52:54:00:00:0b:04');
      addMachine('guest', '52:54:00:00:0b:05');
      sh('ip -n squatter addr add 192.168.0.111/24 dev eth0; ip -n squatter addr add 192.168.0.112/24 dev eth0');
      const { events, kinds } = await serve(rackSite(7200, { probe, probeMs: 300 }));
      const got = await run('guest', 20, ...udhcpc('-q', '-n'));
      assert.match(got.output, /192\.168\.0\.113/);
      const found = events.filter((event) => event.kind === 'dhcp.refused').map(({ reason }) => reason);
      assert.equal(found.length, 2, JSON.stringify(events));
      assert.match(String(found[0]), /192\.168\.0\.111 answers a probe/);
      assert.equal(kinds().filter((kind) => kind === 'ack').length, 1);
    });
  }

  test('is refused the lease, and gets no answer, while leases cannot be saved; then it gets one', async () => {
    addMachine('guest', '52:54:00:00:0b:06');
    let full = true;
    const { events, kinds } = await serve(rackSite(), {
      load: async () => [],
      commit: async () => {
        if (full) throw new Error('no space left on device');
        return [];
      },
    });
    const client = start('guest', ...udhcpc('-A', '1'));
    await until('a refusal', 15, () => kinds().includes('refused'), client.output);
    assert.ok(!kinds().includes('ack'));
    assert.ok(
      events.some((event) => event.kind === 'server.trouble' && /no space left/.test(serverTroubleText(event))),
    );
    full = false;
    await until('address', 20, () => addressesOf('guest').includes('192.168.0.111'), client.output);
  });

  test('an interface that the site names later is served from then on', async () => {
    addMachine('guest', '52:54:00:00:0b:07');
    const whole = rackSite();
    let site: DhcpSite = { ...whole, networks: new Map(), nodes: new Map(), nodeByMac: new Map(), nodeByIp: new Map() };
    const { server, kinds } = await serve(() => site);
    await run('guest', 10, ...udhcpc('-n', '-t', '1'));
    assert.deepEqual(kinds(), []);
    site = { ...whole, networks: new Map(whole.networks) };
    await server.reload();
    const got = await run('guest', 10, ...udhcpc('-n', '-q'));
    assert.match(got.output, /192\.168\.0\.111/);
  });
});

describe('dhcpcd', () => {
  test('a node is given its address', async () => {
    mkdirSync('/run/dhcpcd', { recursive: true });
    addMachine('node01', NODE_MAC);
    const { kinds } = await serve(rackSite());
    const client = start('node01', 'dhcpcd', '-B', '-4', '-c', script, '--noipv4ll', 'eth0');
    await until('address', 25, () => addressesOf('node01').includes('10.0.0.51'), client.output);
    assert.ok(kinds().includes('ack'));
    await client.stop();
  });
});

describe('systemd-networkd', () => {
  test('a node is given its address, routes and MTU, and gives the address back when it stops', async () => {
    addMachine('node01', NODE_MAC);
    const { kinds } = await serve(rackSite());
    const network =
      '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n[DHCPv4]\\nUseMTU=yes\\n';
    const client = start('node01', ...networkdCommand(network));
    await until('address', 20, () => addressesOf('node01').includes('10.0.0.51'), client.output);
    await until('routes', 10, () => sh('ip -n node01 route').includes('10.1.0.0/16 via 10.0.0.1'), client.output);
    assert.match(sh('ip -n node01 route'), /default via 10\.0\.0\.1/);
    assert.match(sh('ip -n node01 link show dev eth0'), /mtu 1400/);
    assert.deepEqual(kinds(), ['discover', 'offer', 'request', 'ack']);
    await client.stop();
    await until('release', 5, () => kinds().includes('release'), client.output);
  });
});

test('three clients at once, with 1 % of packets lost each way, are all served, and none twice', async () => {
  const names = ['lossy1', 'lossy2', 'lossy3'];
  for (const [n, name] of names.entries()) addMachine(name, `52:54:00:00:0c:0${n}`, 0.01);
  await serve(rackSite());
  for (let round = 0; round < 5; round++) {
    const got = await Promise.all(names.map((name) => run(name, 30, ...udhcpc('-q', '-n'))));
    const addresses = got.map(({ output }) => /lease of ([0-9.]+) obtained/.exec(output)?.[1]);
    assert.equal(new Set(addresses).size, 3, got.map(({ output }) => output).join('\n'));
    assert.ok(!addresses.includes(undefined), got.map(({ output }) => output).join('\n'));
    await sleep(50);
  }
});
