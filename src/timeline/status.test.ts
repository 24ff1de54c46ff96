import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import type { FileRole } from '../model/bootFile.ts';
import type { BootStep } from '../model/bootStep.ts';
import type { Lease } from '../model/lease.ts';
import type { BootFrom } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import { ip, mac, menuFixture, networkFixture, nodeFixture, nodeOf, siteFixture } from '../site/testing/fixture.ts';
import type { Boot } from './boots.ts';
import { type HeldLease, heldLeases } from './heldLease.ts';
import { type NodeState, statusOf } from './status.ts';

const step = (code: 'agent' | 'address'): BootStep => ({ at: 0, code, status: 'done' });
const sent = (code: FileRole, file: string): BootStep => ({ at: 0, code, file, status: 'done' });
const kernel = sent('file', 'files/nova/vmlinuz');
const initrd = sent('file', 'nova/initrd.img');

describe('the state of a node that boots a menu entry', () => {
  const entry = { name: 'nova', title: 'Nova', kernel: 'nova/vmlinuz', initrd: ['nova/initrd.img'], args: [] };
  const node = nodeFixture({ boot: 'nova' }, []);
  const site = siteFixture({ nodes: new Map([[node.name, node]]), menu: menuFixture({ entries: [entry] }) });

  const rows: [string, readonly BootStep[] | undefined, NodeState][] = [
    ['was not seen', undefined, 'unseen'],
    ['has its kernel only', [kernel], 'booting'],
    ['has lost the initrd on the way', [kernel, { ...initrd, status: 'failed' }], 'booting'],
    ['has kernel and initrd', [kernel, initrd], 'loaded'],
    ['has an agent that reports', [kernel, initrd, step('agent')], 'booting'],
  ];
  for (const [name, steps, state] of rows) {
    it(`${name}: ${state}`, () => {
      const boot: Boot | undefined = steps && { startedAt: 0, updatedAt: 1, state: 'booting', steps };
      const timeline = { boots: () => (boot ? [boot] : []) };
      const [status] = statusOf({
        site,
        timeline,
        strangers: [],
        serverOf: () => undefined,
        filesStatusOf: () => undefined,
        held: new Map(),
      }).nodes;
      assert.equal(status?.state, state);
      assert.equal(status?.entry, 'nova');
    });
  }
});

describe("the state of a node that boots the operator's own boot file", () => {
  const loader = sent('loader', 'pxelinux.0');
  const rows: [string, BootFrom, readonly BootStep[] | undefined, NodeState][] = [
    ['was not seen', { bootFile: 'pxelinux.0' }, undefined, 'unseen'],
    ['has not fetched it', { bootFile: 'pxelinux.0' }, [step('address')], 'booting'],
    ['has fetched it', { bootFile: 'pxelinux.0' }, [loader], 'loaded'],
    [
      'fetches it from this server',
      { bootFile: 'pxelinux.0', nextServer: ip('10.0.0.2') },
      [step('address')],
      'booting',
    ],
    ['fetches it from another server', { bootFile: 'a', nextServer: ip('10.0.0.9') }, [step('address')], 'loaded'],
  ];
  for (const [name, from, steps, state] of rows) {
    it(`${name}: ${state}`, () => {
      const node = nodeFixture(from, []);
      const site = siteFixture({ nodes: new Map([[node.name, node]]) });
      const boot: Boot | undefined = steps && { startedAt: 0, updatedAt: 1, state: 'booting', steps };
      const timeline = { boots: () => (boot ? [boot] : []) };
      const [status] = statusOf({
        site,
        timeline,
        strangers: [],
        serverOf: () => ({ ip: ip('10.0.0.2'), httpPort: 8080 }),
        filesStatusOf: () => undefined,
        held: new Map(),
      }).nodes;
      assert.equal(status?.state, state);
    });
  }
});

describe('a node that was not seen booting', () => {
  const own = { ip: '10.0.0.51', network: 'rack', pool: null, expires: 9 };
  const lent = { ip: '10.0.0.200', network: 'other', pool: '10.0.0.200-10.0.0.220', expires: 9 };
  const rows: [string, SiteNode, readonly HeldLease[], NodeState, string | undefined][] = [
    ['and has no address', nodeFixture({ image: 'i' }, []), [], 'unseen', undefined],
    ['and has its address', nodeFixture({ image: 'i', ip: ip('10.0.0.51') }, []), [lent, own], 'addressed', own.ip],
    [
      'and has an address of a pool',
      nodeOf('node01', [mac('52:54:00:00:00:51')], { image: 'i', network: 'other' }),
      [own, lent],
      'addressed',
      lent.ip,
    ],
    ['and is never sent a boot file', nodeFixture({}, []), [lent], 'address-only', lent.ip],
  ];
  for (const [name, node, leases, state, address] of rows) {
    it(`${name}: ${state}`, () => {
      const [status] = statusOf({
        site: siteFixture({ nodes: new Map([[node.name, node]]) }),
        timeline: { boots: () => [] },
        strangers: [],
        serverOf: () => undefined,
        filesStatusOf: () => undefined,
        held: new Map([[node.macs[0], leases]]),
      }).nodes;
      assert.deepEqual([status?.state, status?.lease?.ip], [state, address]);
    });
  }
});

test('leases that are over, given back or declined are not held, and pools are named by their range', () => {
  const rack = networkFixture({
    pools: [
      { range: { first: ip('10.0.0.200'), last: ip('10.0.0.220') }, allow: ['any'], deny: [], options: new Map() },
    ],
  });
  const card = mac('52:54:00:00:00:99');
  const lease = (address: string, more: Partial<Lease>): Lease => ({
    ip: ip(address),
    mac: card,
    network: 'rack',
    state: 'bound',
    start: 0,
    expires: 200,
    ...more,
  });
  const held = heldLeases(
    [
      lease('10.0.0.201', {}),
      lease('10.0.0.51', {}),
      lease('10.0.0.202', { reserved: true }),
      lease('10.0.0.203', { expires: 100 }),
      lease('10.0.0.204', { state: 'released' }),
      lease('10.0.0.205', { state: 'declined' }),
    ],
    siteFixture({ networks: new Map([['rack', rack]]) }),
    100,
  );
  assert.deepEqual(
    held.get(card)?.map(({ ip: address, pool }) => [address, pool]),
    [
      ['10.0.0.201', '10.0.0.200-10.0.0.220'],
      ['10.0.0.51', null],
      ['10.0.0.202', null],
    ],
  );
});
