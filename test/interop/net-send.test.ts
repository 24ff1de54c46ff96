import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LIMITED_BROADCAST } from '../../src/model/ipv4.ts';
import { NextHops } from '../../src/net/nextHop.ts';
import { openRawSender } from '../../src/net/raw.ts';
import { RoutedSender } from '../../src/net/routed.ts';
import { ip, mac } from '../../src/site/testing/fixture.ts';
import { requireTools, start, tidy, until } from './dhcp.rig.ts';

requireTools('nft');

/** What leaves by frames and by the kernel's routing while other destinations do not answer ARP, or the kernel refuses. */

const sh = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8' });
const source = (path: string): string => JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
const from = { ip: ip('10.0.0.3'), port: 67 };

/** `out0` has 10.0.0.2 and 10.0.0.3; behind it `far` has 10.0.0.9, and is the way to 172.16.0.0/12. */
before(() => {
  sh(`ip netns add far
    ip link add out0 type veth peer name eth0 netns far
    ip -n far link set eth0 address 52:54:00:00:00:09
    ip -n far link set lo up
    ip -n far link set eth0 up
    ip -n far addr add 10.0.0.9/16 dev eth0
    ip -n far addr add 172.16.0.9/32 dev lo
    ip addr add 10.0.0.2/16 dev out0
    ip addr add 10.0.0.3/16 dev out0
    ip link set out0 up
    ip route add 172.16.0.0/12 via 10.0.0.9
    ip route add 172.30.0.0/16 via 10.0.0.77
    ip route add blackhole 172.31.0.0/16`);
});
after(async () => {
  await tidy();
  sh('ip link del out0; ip netns del far');
});

/** Notes what comes to a port of `far`: `LENGTH SOURCE SOURCEPORT FIRSTBYTE`, a line each. */
async function listener(port: number) {
  const code = `
    const { openUdp } = await import(${source('net/udp.ts')});
    const socket = await openUdp({ port: ${port} });
    socket.on('message', (bytes, from) => console.log(bytes.length, from.address, from.port, bytes[0]));
    console.log('ready');`;
  const program = start('far', process.execPath, '--input-type=module', '-e', code);
  await until('the listener', 20, () => program.output().includes('ready'), program.output);
  return program;
}

/** Makes the kernel find an address by ARP, or fail to. */
async function meet(address: string): Promise<void> {
  execFileSync('bash', ['-c', `echo > /dev/udp/${address}/9`]);
  await sleep(200);
}

test('how a packet to an address leaves is read from the tables of the kernel', async () => {
  const hops = new NextHops('out0');
  const reach = (address: string) => hops.reach(ip(address), performance.now());
  assert.deepEqual([reach('10.0.0.9'), reach('172.16.0.9'), reach('10.0.4.4')], ['waits', 'waits', 'waits']);
  assert.doesNotMatch(sh('ip neigh show dev out0'), /10\.0\.4\.4/, 'looking makes no entry');
  await meet('10.0.0.9');
  await meet('10.0.4.4');
  assert.deepEqual(
    [reach('10.0.0.9'), reach('172.16.0.9'), reach('10.0.4.4'), reach('172.30.0.1')],
    ['ready', 'ready', 'waits', 'waits'],
  );
  assert.equal(reach('10.0.0.2'), 'ready', 'an address of this machine');
  for (const address of ['10.0.255.255', '255.255.255.255', '224.0.0.1']) assert.equal(reach(address), 'none', address);
  hops.close();
  assert.equal(reach('10.0.0.77'), 'none', 'closed');
});

describe('a sender through the kernel', () => {
  test('is not held up by addresses that do not exist, whatever they are', async () => {
    const heard = await listener(1067);
    const before = readdirSync('/proc/self/fd').length;
    const sender = RoutedSender.open('out0');
    await meet('10.0.0.9');
    const codes = new Set<string | undefined>();
    for (let i = 0; i < 2000; i++) {
      const gone = ip(`10.0.${200 + (i % 50)}.${1 + (i % 250)}`);
      codes.add(sender.send({ ip: gone, port: 67 }, from, new Uint8Array(548)));
      codes.add(sender.send({ ip: ip(`172.30.0.${i % 256}`), port: 67 }, from, new Uint8Array(548)));
      if (i % 100 === 0) {
        assert.equal(sender.send({ ip: ip('10.0.0.9'), port: 1067 }, from, Uint8Array.of(1, 2)), undefined);
        assert.equal(sender.send({ ip: ip('172.16.0.9'), port: 1067 }, from, Uint8Array.of(2, 2, 3)), undefined);
      }
    }
    assert.deepEqual(
      codes,
      new Set([undefined, 'EAGAIN']),
      'what has to wait is sent while there is room, then dropped',
    );
    await until('all that can leave', 10, () => heard.output().split('\n').length >= 42, heard.output);
    assert.equal(
      heard
        .output()
        .split('\n')
        .filter((line) => line === '2 10.0.0.3 67 1').length,
      20,
    );
    assert.equal(
      heard
        .output()
        .split('\n')
        .filter((line) => line === '3 10.0.0.3 67 2').length,
      20,
    );
    const asked = sh('ip neigh show dev out0').match(/INCOMPLETE|FAILED/g)?.length ?? 0;
    assert(asked <= 40, `${asked} made-up neighbours in the kernel's table`);

    // A relay whose entry the kernel has dropped meanwhile does not stand behind those either.
    sh('ip neigh flush dev out0; ip neigh del 10.0.0.9 dev out0 || true');
    await sleep(1100);
    for (let i = 0; i < 100; i++) sender.send({ ip: ip(`10.0.250.${i}`), port: 67 }, from, new Uint8Array(548));
    assert.equal(sender.send({ ip: ip('10.0.0.9'), port: 1067 }, from, Uint8Array.of(9)), undefined);
    await until('the relay that was met before', 5, () => heard.output().includes('1 10.0.0.3 67 9'), heard.output);
    sender.close();
    sender.close();
    assert.equal(sender.send({ ip: ip('10.0.0.9'), port: 1067 }, from, Uint8Array.of(9)), 'EINVAL');
    assert.equal(readdirSync('/proc/self/fd').length, before);
    await heard.stop();
  });

  test('says why the kernel refuses, and goes on when it does not any more', async () => {
    const sender = RoutedSender.open('out0');
    await meet('10.0.0.9');
    const send = (address: string, port = 1067) => sender.send({ ip: ip(address), port }, from, new Uint8Array(300));
    assert.equal(send('10.0.0.9', 0), 'EINVAL');
    assert.equal(send('0.0.0.0'), 'EINVAL');
    for (const address of ['10.0.255.255', '255.255.255.255', '224.0.0.1']) assert.equal(send(address), 'EHOSTUNREACH');
    sh('nft add table ip t; nft "add chain ip t o { type filter hook output priority 0; policy drop; }"');
    assert.equal(send('10.0.0.9'), 'EPERM');
    sh('nft delete table ip t');
    assert.equal(send('10.0.0.9'), undefined);
    sh('ip link set out0 down');
    assert.notEqual(send('10.0.0.9'), undefined);
    sh('ip link set out0 up; ip route replace 172.16.0.0/12 via 10.0.0.9');
    await meet('10.0.0.9');
    await sleep(1100);
    assert.equal(send('10.0.0.9'), undefined);
    sender.close();
  });

  test('names a missing interface', () => {
    assert.throws(() => RoutedSender.open('br9'), { code: 'INTERFACE_MISSING' });
  });
});

test('what is larger than the interface takes leaves in fragments that the other end puts together', async () => {
  const heard = await listener(1068);
  sh('ip link set out0 mtu 600; ip -n far link set eth0 mtu 600');
  const frames = openRawSender('out0');
  const routed = RoutedSender.open('out0');
  await meet('10.0.0.9');
  assert.equal(frames.room(), 572);
  const to = { ip: ip('10.0.0.9'), port: 1068 };
  const payload = new Uint8Array(1472).fill(5);
  assert.equal(frames.send({ ...to, mac: mac('52:54:00:00:00:09') }, from, payload), undefined);
  assert.equal(routed.send(to, from, payload), undefined);
  await until('both', 5, () => heard.output().split('1472 10.0.0.3 67 5').length === 3, heard.output);
  sh('ip link set out0 mtu 1500; ip -n far link set eth0 mtu 1500');
  assert.equal(frames.room(), 1472);
  frames.close();
  assert.equal(frames.room(), undefined);
  routed.close();
  await heard.stop();
});

test('broadcasts leave as frames whatever waits for ARP, from the address that they are given', async () => {
  const code = `
    const { openUdp } = await import(${source('net/udp.ts')});
    const socket = await openUdp({ port: 68, broadcast: true });
    socket.on('message', (bytes, from) => console.log(bytes.length, from.address, from.port));
    console.log('ready');`;
  const heard = start('far', process.execPath, '--input-type=module', '-e', code);
  await until('the listener', 20, () => heard.output().includes('ready'), heard.output);
  const frames = openRawSender('out0');
  const everybody = { ip: LIMITED_BROADCAST, mac: mac('ff:ff:ff:ff:ff:ff'), port: 68 };
  assert.equal(frames.send(everybody, from, new Uint8Array(300)), undefined);
  await until('the broadcast', 5, () => heard.output().includes('300 10.0.0.3 67'), heard.output);
  frames.close();
  heard.child.kill();
  await once(heard.child, 'exit');
});
