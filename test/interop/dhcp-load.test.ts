import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { formatIpv4, type Ipv4 } from '../../src/model/ipv4.ts';
import { lose, requireTools, run, sh, start, tidy, until } from './dhcp.rig.ts';

requireTools('perfdhcp', 'tcpdump', 'tshark');

/** perfdhcp plays a relay with very many clients behind it; its end of the wire is 10.20.0.3. */
const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-load-'));

before(() => {
  sh(`ip netns add load
    ip link add server0 type veth peer name load0 netns load
    ip addr add 10.20.0.2/16 dev server0
    ip link set server0 up
    ip -n load addr add 10.20.0.3/16 dev load0
    ip -n load link set lo up
    ip -n load link set load0 up`);
});
afterEach(tidy);
after(() => {
  sh('ip link del server0; ip netns del load');
  rmSync(folder, { recursive: true });
});

type Child = { readonly process: ChildProcess; output(): string };

async function startServer(state: string): Promise<Child> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('dhcp-child.ts', import.meta.url)), state], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  await until(
    'the server',
    20,
    () => /^ready$/m.test(output),
    () => output,
  );
  return { process: child, output: () => output };
}

async function kill({ process: child }: Child): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Unique clients at a rate, for some seconds; `-u` checks that no address is given twice. */
const perfdhcp = (rate: number, seconds: number, ...more: string[]): string[] => [
  'perfdhcp',
  '-4',
  '-u',
  '-R',
  '60000',
  '-r',
  `${rate}`,
  '-p',
  `${seconds}`,
  '-l',
  '10.20.0.3',
  ...more,
  '10.20.0.2',
];

/** Numbers of perfdhcp's report, for DISCOVER-OFFER and REQUEST-ACK. */
function reportOf(output: string, what: string): number[] {
  return [...output.matchAll(new RegExp(`${what}: (-?[0-9]+)`, 'g'))].map(([, count]) => Number(count));
}

describe('under the load of perfdhcp', () => {
  test('thousands of unique clients get an address each, none twice', async () => {
    const server = await startServer(join(folder, 'plain'));
    const { output } = await run('load', 40, ...perfdhcp(500, 6));
    const [, acks = 0] = reportOf(output, 'received packets');
    assert.ok(acks > 2000, output);
    assert.deepEqual(reportOf(output, 'non unique addresses'), [0, 0], output);
    assert.deepEqual(reportOf(output, 'rejected leases'), [0, 0], output);
    await kill(server);
  });

  test('with 1 % of packets lost each way, no more than those exchanges fail, and no address is given twice', async () => {
    lose('server0', 0.01);
    lose('load0', 0.01, 'ip netns exec load');
    const server = await startServer(join(folder, 'lossy'));
    const { output } = await run('load', 40, ...perfdhcp(300, 6));
    const [offers = 0, acks = 0] = reportOf(output, 'received packets');
    const [discovers = 0, requests = 0] = reportOf(output, 'sent packets');
    sh('tc qdisc del dev server0 clsact; ip netns exec load tc qdisc del dev load0 clsact');
    assert.ok(acks > 1000, output);
    assert.ok(offers < discovers && offers > discovers * 0.93, output);
    assert.ok(acks > requests * 0.93, output);
    assert.deepEqual(reportOf(output, 'non unique addresses'), [0, 0], output);
    await kill(server);
  });

  test('killed at full load, it has on disk every lease that a client was given, and doubles none', async () => {
    const state = join(folder, 'killed');
    const capture = join(folder, 'wire.pcap');
    const wire = start(
      'load',
      'tcpdump',
      '-B',
      '16384',
      '-s',
      '400',
      '-U',
      '-w',
      capture,
      '-i',
      'load0',
      'udp src port 67 and src host 10.20.0.2',
    );
    await until('tcpdump', 10, () => wire.output().includes('listening'), wire.output);

    let server = await startServer(state);
    for (const base of ['00:0c:01:00:00:00', '00:0c:02:00:00:00', '00:0c:03:00:00:00']) {
      const load = start('load', ...perfdhcp(1500, 6, '-b', `mac=${base}`));
      await sleep(2500);
      await kill(server);
      server = await startServer(state);
      await load.stop('SIGKILL');
    }
    await sleep(500);
    await kill(server);
    await wire.stop('SIGINT');
    const last = await startServer(state);
    await kill(last);

    const held = new Map<string, string>();
    for (const [, line = ''] of last.output().matchAll(/^held (.*)$/gm)) {
      const lease: { ip: Ipv4; mac: string; state: string } = JSON.parse(line);
      if (lease.state === 'bound') held.set(formatIpv4(lease.ip), lease.mac);
    }
    const acks = sh(
      `tshark -r ${capture} -Y 'dhcp.option.dhcp == 5' -T fields -E occurrence=f -e dhcp.ip.your -e dhcp.hw.mac_addr`,
    )
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    assert.ok(acks.length > 3000, `only ${acks.length} leases were given: no load to speak of`);
    const owners = new Map<string, string>();
    for (const [address = '', owner = ''] of acks) {
      assert.equal(held.get(address), owner, `${address} was given to ${owner}, and is not on disk`);
      assert.equal(owners.get(address) ?? owner, owner, `${address} was given twice`);
      owners.set(address, owner);
    }
  });
});
