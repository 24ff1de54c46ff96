import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BootAnswer } from '../../src/boot/client.ts';
import { read } from '../../src/dhcp/optionSet.ts';
import { BROADCAST_FLAG, type DhcpPacket, decodePacket, encodePacket, MESSAGE } from '../../src/dhcp/packet.ts';
import { type DhcpServer, startDhcpServer } from '../../src/dhcp/server.ts';
import type { DhcpSite } from '../../src/dhcp/site.ts';
import { networkOf, requestOf, say, siteOf } from '../../src/dhcp/testing/fixture.ts';
import type { Happening } from '../../src/model/event.ts';
import { LIMITED_BROADCAST, UNSPECIFIED } from '../../src/model/ipv4.ts';
import { OPTION } from '../../src/model/options.ts';
import { closeDescriptor, ETH_P_IP, receive } from '../../src/net/libc.ts';
import { openListening, openRawSender } from '../../src/net/raw.ts';
import { ip, mac, nodeOf } from '../../src/site/testing/fixture.ts';
import { serverTroubleText } from '../../src/words/trouble.ts';
import { addMachine, clientScript, memoryStore, requireTools, run, sh, start, tidy, until } from './dhcp.rig.ts';
import type { Told } from './flood-client.ts';

requireTools('nft', 'udhcpc', 'prlimit');

/** DHCP where its code makes a mistake, or the kernel refuses: it costs the one answer, for as long as it lasts. */

const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-refusals-'));
const script = clientScript(join(folder, 'script'), join(folder, 'notes'));
const [FIRST, SECOND] = [mac('52:54:00:00:00:51'), mac('52:54:00:00:00:52')];
const rack = siteOf(
  [networkOf('rack', '10.0.0.0/24', [['10.0.0.200-10.0.0.209', 'any']])],
  [nodeOf('node01', [FIRST], { ip: ip('10.0.0.51') }), nodeOf('node02', [SECOND], { ip: ip('10.0.0.52') })],
);
const site: DhcpSite = { ...rack, dhcp: { ...rack.dhcp, probe: 'arp', probeMs: 200 } };

before(() => {
  sh(`ip link add br0 type bridge
    ip addr add 10.0.0.2/24 dev br0
    ip link set br0 up`);
  addMachine('first', FIRST);
  addMachine('second', SECOND);
  addMachine('relay', '52:54:00:00:00:09');
  sh('ip -n relay addr add 10.0.0.9/24 dev eth0');
  addMachine('stranger', '52:54:00:00:0a:01');
});
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
after(async () => {
  await tidy();
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

type Served = { readonly server: DhcpServer; readonly events: Happening[]; readonly faults: unknown[] };

async function serve(
  more: { site?: DhcpSite; boot?: () => BootAnswer; events?: (happening: Happening) => void } = {},
): Promise<Served> {
  const events: Happening[] = [];
  const faults: unknown[] = [];
  const server = await startDhcpServer({
    site: () => more.site ?? site,
    store: memoryStore(),
    boot: more.boot ?? (() => ({ kind: 'none', reason: { code: 'not-listed' } })),
    events: (happening) => {
      events.push(happening);
      more.events?.(happening);
    },
    faulted: (error) => faults.push(error),
  });
  closing.push(() => server.close());
  return { server, events, faults };
}

/** Whether a machine is given an address, its own where one is named. */
async function leased(machine: string, address: string, ...more: string[]): Promise<boolean> {
  const udhcpc = ['udhcpc', '-f', '-i', 'eth0', '-n', '-q', '-t', '3', '-T', '1', '-s', script, ...more];
  const { output } = await run(machine, 20, ...udhcpc);
  sh(`ip -n ${machine} addr flush dev eth0`);
  return output.includes(`lease of ${address}`);
}

describe('a mistake', () => {
  test('in answering one client costs that client its answer', async () => {
    const { faults } = await serve({
      boot: () => {
        throw new Error('a mistake');
      },
    });
    // Only a client that asks to boot meets it.
    assert.equal(await leased('first', '10.0.0.51', '-V', 'PXEClient:Arch:00007:UNDI:003016'), false);
    assert.ok(faults.length >= 1);
    assert.equal(await leased('second', '10.0.0.52'), true);
  });

  test('of a listener for events affects no answer', async () => {
    const { faults } = await serve({
      events: () => {
        throw new Error('a mistake');
      },
    });
    assert.equal(await leased('first', '10.0.0.51'), true);
    assert.ok(faults.length >= 1);
  });
});

describe('a kernel that refuses', () => {
  test('descriptors (EMFILE): all is answered and probed as before, through a reload too', async () => {
    const { server, events, faults } = await serve();
    assert.equal(await leased('first', '10.0.0.51'), true);
    const udhcpc = `udhcpc -f -i eth0 -n -q -t 4 -T 1 -s ${script}`;
    const clients = ['first', 'stranger'].map((name) => start(name, 'sh', '-c', `sleep 2; ${udhcpc}`));
    const output = (): string => clients.map((client) => client.output()).join('');
    // Only another program can lift the limit again.
    const limit = start(
      'second',
      'sh',
      '-c',
      `prlimit --pid ${process.pid} --nofile=3:4096; echo none left; sleep 8; prlimit --pid ${process.pid} --nofile=4096:4096`,
    );
    await until('the limit', 10, () => limit.output().includes('none left'), limit.output);
    assert.throws(() => readdirSync('/proc/self/fd'), { code: 'EMFILE' });
    await server.reload();
    await until('both', 10, () => output().split('lease of 10.0.0.').length === 3, output);
    assert.throws(() => readdirSync('/proc/self/fd'), { code: 'EMFILE' }, 'still');
    await once(limit.child, 'exit');
    assert.deepEqual(faults, []);
    const troubles = events.flatMap((event) => (event.kind === 'server.trouble' ? [serverTroubleText(event)] : []));
    assert.deepEqual(troubles, ['socket: EMFILE'], 'what probes was to be opened anew');
  });

  test('to send through its tables (EPERM): direct clients are answered, and relays again when it no more does', async () => {
    const { events, faults } = await serve();
    const relayed = async (): Promise<string[]> => {
      const args = [
        '--disable-warning=ExperimentalWarning',
        join(import.meta.dirname, 'flood-client.ts'),
        'relayed',
        '1',
      ];
      const { output } = await run('relay', 20, process.execPath, ...args);
      const told: Record<string, Told> = JSON.parse(output);
      return Object.entries(told).map(([kind, { ms, lost }]) => `${kind} ${ms.length > 0} ${lost}`);
    };
    const answered = ['relayed OFFER true 0', 'relayed ACK true 0'];
    assert.deepEqual(await relayed(), answered);
    sh('nft add table ip t; nft "add chain ip t o { type filter hook output priority 0; policy drop; }"');
    assert.deepEqual(await relayed(), ['relayed OFFER false 1']);
    assert.equal(await leased('first', '10.0.0.51'), true);
    sh('nft delete table ip t');
    assert.deepEqual(await relayed(), answered);
    const [trouble, ...more] = events.filter((event) => event.kind === 'server.trouble');
    assert.partialDeepStrictEqual(trouble, {
      code: 'REPLY_UNSENT',
      message: '1 DHCP replies not sent: 10.0.0.9: a firewall on this machine forbids it',
    });
    assert.deepEqual(more, [], 'the others are counted together, once a minute');
    assert.deepEqual(faults, []);
  });

  test('to send at all (ENETDOWN), for as long as the interface is down', async () => {
    const { faults } = await serve();
    sh('ip link set br0 down');
    assert.equal(await leased('first', '10.0.0.51'), false);
    sh('ip link set br0 up');
    assert.equal(await leased('first', '10.0.0.51'), true);
    assert.equal(await leased('stranger', '10.0.0.20'), true, 'the probe hears again too');
    assert.deepEqual(faults, []);
  });
});

test('a reply is no larger than its interface takes in one frame, whatever the client says that it takes', async () => {
  sh(`ip link add a0 type veth peer name b0
    ip addr add 10.3.0.2/24 dev a0
    ip link set a0 up
    ip link set b0 up`);
  const options = new Map(Array.from({ length: 5 }, (_, i) => [224 + i, new Uint8Array(200).fill(i)]));
  const wide = siteOf([
    networkOf('wide', '10.3.0.0/24', [['10.3.0.10-10.3.0.20', 'any']], { interface: 'a0', options }),
  ]);
  await serve({ site: wide });
  const frames = openRawSender('b0');
  const { fd } = openListening('b0', ETH_P_IP);
  const buffer = Buffer.alloc(2048);
  const ask = async (xid: number, flags: number): Promise<{ length: number; packet: DhcpPacket }> => {
    const request = requestOf('discover', FIRST, [say(OPTION.maxMessageSize, 1500)], { xid, flags });
    const everybody = { ip: LIMITED_BROADCAST, mac: mac('ff:ff:ff:ff:ff:ff'), port: 67 };
    frames.send(everybody, { ip: UNSPECIFIED, port: 68 }, encodePacket(request));
    for (let i = 0; i < 100; i++) {
      for (let length = receive(fd, buffer); length >= 0; length = receive(fd, buffer)) {
        const decoded = decodePacket(Buffer.from(buffer.subarray(28, length)));
        if (decoded.ok && decoded.packet.op === 'reply' && decoded.packet.xid === xid)
          return { length, packet: decoded.packet };
      }
      await sleep(20);
    }
    return assert.fail('no answer');
  };
  const large = (packet: DhcpPacket): number => [...packet.options.keys()].filter((code) => code >= 224).length;
  for (const [n, flags] of [0, BROADCAST_FLAG].entries()) {
    sh('ip link set a0 mtu 1500');
    const whole = await ask(10 * n + 1, flags);
    assert.deepEqual([large(whole.packet), whole.length > 1200], [5, true]);
    sh('ip link set a0 mtu 900');
    const cut = await ask(10 * n + 2, flags);
    assert.ok(cut.length <= 900, `${cut.length} bytes`);
    assert.ok(large(cut.packet) >= 2 && large(cut.packet) < 5, `${large(cut.packet)} of the large options`);
    assert.equal(read(cut.packet.options, OPTION.messageType), MESSAGE.offer);
  }
  frames.close();
  closeDescriptor(fd);
  sh('ip link del a0');
});
