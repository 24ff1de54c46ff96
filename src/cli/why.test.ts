import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ReveilleError } from '../errors.ts';
import type { Event } from '../model/event.ts';
import type { Lease } from '../model/lease.ts';
import { ip, mac } from '../site/testing/fixture.ts';
import { withSiteFolder } from '../site/testing/folderFixture.ts';
import { openStore } from '../state/store.ts';
import { Strangers } from '../timeline/strangers.ts';
import { statusCommand } from './status.ts';
import { run } from './testing/runFixture.ts';
import { whyCommand } from './why.ts';

const STRANGER = mac('52:54:00:00:00:61');
const LENDS = mac('52:54:00:00:00:62');
const REFUSED = mac('52:54:00:00:00:63');
const SECOND = mac('52:54:00:00:00:ff');
const site = (nodes = '') => `networks:
  rack:
    interface: lo
    subnet: 10.0.0.0/24
    pools: [{ range: 10.0.0.200-10.0.0.220, allow: any }]
nodes:
  node01: { mac: [52:54:00:00:00:51, ${SECOND}], ip: 10.0.0.51, boot: local }
  node02: { mac: 52:54:00:00:00:52, network: rack, boot: local }
${nodes}`;

const lease = (card: Lease['mac'], address: string): Lease => ({
  ip: ip(address),
  mac: card,
  network: 'rack',
  state: 'bound',
  start: Date.now(),
  expires: Date.now() + 3_600_000,
});

function seen(): readonly Event[] {
  const at = Date.now() - 60_000;
  const asks = { stage: 'firmware', via: 'br0', at, machine: { firmware: 'bios' }, classes: ['pxe'] } as const;
  return [
    { kind: 'dhcp.discover', mac: STRANGER, ...asks },
    { kind: 'dhcp.offer', mac: STRANGER, stage: 'firmware', network: 'rack', ip: ip('10.0.0.200'), at: at + 1 },
    { kind: 'dhcp.request', mac: STRANGER, ...asks, at: at + 2 },
    { kind: 'dhcp.ack', mac: STRANGER, stage: 'firmware', network: 'rack', ip: ip('10.0.0.200'), at: at + 3 },
    { kind: 'tftp.sent', mac: STRANGER, file: 'pxelinux.0', role: 'loader', bytes: 42, ms: 1, at: at + 4 },
    { kind: 'dhcp.discover', mac: REFUSED, stage: 'os', at: at + 5, machine: {} },
    { kind: 'dhcp.refused', mac: REFUSED, reason: 'no pool is open to it', at: at + 6 },
  ];
}

/** What a command prints without a server: the state has two strangers that asked, and three leases. */
async function prints(command: typeof whyCommand, args: readonly string[], nodes?: string): Promise<string> {
  return withSiteFolder({ 'site.yaml': site(nodes) }, async (folder) => {
    const state = join(folder, 'state');
    const store = await openStore(state);
    const strangers = new Strangers();
    for (const event of seen()) strangers.see(event);
    await store.strangers.save(strangers.takeChanges().changed, []);
    await store.leases.commit([
      lease(STRANGER, '10.0.0.200'),
      lease(LENDS, '10.0.0.201'),
      lease(mac('52:54:00:00:00:52'), '10.0.0.202'),
    ]);
    await store.close();
    const { out } = await run(command(), [...args, '--site', folder, '--state', state]);
    return out.replaceAll(folder, 'SITE');
  });
}

const why = (...args: string[]) => prints(whyCommand, args);
const whyJson = async (...args: string[]) => JSON.parse(await why(...args, '--json'));

describe('reveille why of a machine that the site does not list', () => {
  it('shows what it asked, what it is and has, and how it becomes a node', async () => {
    const text = await why('52-54-00-00-00-61');
    const lines = text.split('\n').map((line) => line.replaceAll(/(\d+ min )?[\d.]+ m?s/g, 'TIME'));
    assert.deepEqual(lines, [
      '52:54:00:00:00:61 is no node of the site: it asked to boot.',
      '  DHCP through br0 on network rack: DISCOVER 1, OFFER 1, REQUEST 1, ACK 1; first TIME ago, last TIME ago.',
      '  The machine: firmware bios, in class pxe.',
      '  Its address: 10.0.0.200 of network rack (pool 10.0.0.200-10.0.0.220) for TIME yet.',
      '  Its newest attempt to boot came as far as: loader (pxelinux.0, 42 B).',
      '  To make it a node: `reveille node adopt 52:54:00:00:00:61 --site SITE --state SITE/state`.',
    ]);
  });

  const rows: [what: string, word: string, state: string, more: RegExp][] = [
    ['asked to boot', STRANGER, 'asked-to-boot', /node adopt/],
    ['is named by its address', '10.0.0.200', 'asked-to-boot', /node adopt/],
    [
      'has an address, of which no request is known',
      LENDS,
      'addressed',
      /node add NAME --mac 52:54:00:00:00:62 --ip next/,
    ],
    ['got no answer', REFUSED, 'without-address', /1 without an answer[\s\S]*no pool is open to it/],
  ];
  for (const [what, word, state, more] of rows) {
    it(`says of one that ${what}: ${state}`, async () => {
      const diagnosed = await whyJson(word);
      assert.deepEqual([diagnosed.node, diagnosed.state], [null, state]);
      assert.match(diagnosed.advice.join('\n'), more);
    });
  }

  it('goes together with nodes, and nodes are known by each of their cards and by their address of a pool', async () => {
    const diagnosed = await whyJson(`node01,${STRANGER},${SECOND.toUpperCase()},10.0.0.202`);
    assert.deepEqual(
      diagnosed.map(({ node, state }: { node: string; state: string }) => [node, state]),
      [
        ['node01', 'unseen'],
        ['node02', 'addressed'],
        [null, 'asked-to-boot'],
      ],
    );
  });

  it('is an error where nothing is known', async () => {
    const unknown = (error: unknown) => error instanceof ReveilleError && error.code === 'NODE_UNKNOWN';
    await assert.rejects(why('52:54:00:00:00:99'), unknown);
    await assert.rejects(why('10.0.0.219'), unknown);
    await assert.rejects(why('node99'), unknown);
  });
});

describe('reveille status', () => {
  it('shows a node that has an address and did not boot, where its address is', async () => {
    const text = await prints(statusCommand, []);
    const line = text.split('\n').find((one) => one.startsWith('node02')) ?? '';
    assert.match(line, /^node02 +10\.0\.0\.202 .* has address .*has not asked to boot$/);
    assert.match(await prints(statusCommand, ['--summary']), /^has address +1 +node02$/m);
    assert.match(await prints(statusCommand, ['node02']), /it has 10\.0\.0\.202 of network rack/);
  });

  it('shows what a machine did before it was adopted as the boot of its node', async () => {
    const node = `  node61: { mac: ${STRANGER}, ip: 10.0.0.61, boot: local }\n`;
    const { nodes, strangers } = JSON.parse(await prints(statusCommand, ['--json'], node));
    const adopted = nodes.find(({ name }: { name: string }) => name === 'node61');
    assert.deepEqual(
      adopted.boot.steps.map(({ name }: { name: string }) => name),
      ['firmware asks', 'address', 'loader'],
    );
    assert.equal(adopted.state, 'booting');
    assert.deepEqual(
      strangers.map(({ mac: card }: { mac: string }) => card),
      [REFUSED],
    );
  });
});
