import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DhcpSite } from '../../src/dhcp/site.ts';
import { networkOf } from '../../src/dhcp/testing/fixture.ts';
import type { Network } from '../../src/model/network.ts';
import { ip } from '../../src/site/testing/fixture.ts';
import {
  addMachine,
  addressesOf,
  clientScript,
  layBridge,
  rackSite,
  requireTools,
  serve,
  sh,
  start,
  tidy,
  until,
} from './dhcp.rig.ts';

requireTools('dhcrelay', 'udhcpc', 'tcpdump');

/** A relay between the bridge (10.0.0.9) and a wire of its own (10.7.0.1), on which one client is. */
const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-relay-'));
const script = clientScript(join(folder, 'script'), join(folder, 'notes'));

before(() => {
  layBridge();
  addMachine('relay', '52:54:00:00:0d:01');
  addMachine('behind', '52:54:00:00:0d:02');
  sh(`ip link set to-behind nomaster
    ip link set to-behind netns relay
    ip -n relay link set to-behind up
    ip -n relay addr add 10.0.0.9/24 dev eth0
    ip -n relay addr add 10.7.0.1/24 dev to-behind
    ip netns exec relay sysctl -qw net.ipv4.ip_forward=1
    ip route add 10.7.0.0/24 via 10.0.0.9`);
});
after(async () => {
  await tidy();
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

/** The rack's site and a network that only relays reach. */
function siteBehindRelay(relays: Network['relays'] = []): DhcpSite {
  const site = rackSite();
  const { interface: _, ...far } = networkOf('far', '10.7.0.0/24', [['10.7.0.10-10.7.0.20', 'any']], {
    server: ip('10.0.0.2'),
    relays,
  });
  return { ...site, networks: new Map<string, Network>([...site.networks, ['far', far]]) };
}

test('behind a relay a client gets an address of its own network, renews it directly and gives it back', async () => {
  const { server, events, kinds } = await serve(siteBehindRelay());
  const wire = start('relay', 'tcpdump', '--immediate-mode', '-lnvi', 'eth0', 'udp port 67 and src host 10.0.0.2');
  const relay = start('relay', 'dhcrelay', '-4', '-d', '-a', '-iu', 'eth0', '-id', 'to-behind', '10.0.0.2');
  await until('the relay', 10, () => relay.output().includes('Sending on'), relay.output);
  await until('tcpdump', 10, () => wire.output().includes('listening'), wire.output);

  const client = start('behind', 'udhcpc', '-f', '-i', 'eth0', '-s', script, '-t', '10', '-T', '1');
  await until('address', 15, () => addressesOf('behind').includes('10.7.0.10'), client.output);
  assert.deepEqual(
    new Set(events.map((event) => ('network' in event ? event.network : undefined))),
    new Set([undefined, 'far']),
  );
  await until('replies', 5, () => /DHCP-Message \(53\), length 1: ACK/.test(wire.output()), wire.output);
  assert.match(wire.output(), /10\.0\.0\.2\.67 > 10\.7\.0\.1\.67/);
  assert.match(wire.output(), /Agent-Information \(82\)/);

  sh('ip -n behind route add default via 10.7.0.1');
  events.length = 0;
  client.child.kill('SIGUSR1');
  await until('renewal', 15, () => kinds().includes('ack'), client.output);
  // The relay hears the renewal that passes through it and hands it on a second time.
  assert.deepEqual(new Set(kinds()), new Set(['request', 'ack']));

  client.child.kill('SIGUSR2');
  await until('release', 10, () => kinds().includes('release'), client.output);
  for (const program of [client, relay, wire]) await program.stop('SIGKILL');
  await server.close();
});

test('a relay whose address lies in no network of the site is answered where the network lists it, and reported once where none does', async () => {
  sh(`ip -n relay addr flush dev to-behind
    ip -n relay addr add 172.16.9.1/24 dev to-behind
    ip route add 172.16.9.0/24 via 10.0.0.9
    ip -n behind addr flush dev eth0`);
  let site = siteBehindRelay();
  const { server, events, kinds } = await serve(() => site);
  const relay = start('relay', 'dhcrelay', '-4', '-d', '-a', '-iu', 'eth0', '-id', 'to-behind', '10.0.0.2');
  await until('the relay', 10, () => relay.output().includes('Sending on'), relay.output);
  const client = start('behind', 'udhcpc', '-f', '-i', 'eth0', '-s', script, '-t', '30', '-T', '1');
  await until(
    'three requests',
    15,
    () => (client.output().match(/broadcasting discover/g) ?? []).length > 2,
    client.output,
  );
  assert.deepEqual(kinds(), ['refused']);
  assert.match(
    JSON.stringify(events),
    /"via":"172\.16\.9\.1","code":"relay-unknown","reason":"the relay 172\.16\.9\.1 belongs to no network/,
  );

  site = siteBehindRelay([{ first: ip('172.16.9.1'), last: ip('172.16.9.4') }]);
  await server.reload();
  await until('address', 15, () => addressesOf('behind').some((one) => one.startsWith('10.7.0.1')), client.output);
  await relay.stop();
});
