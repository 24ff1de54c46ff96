import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Event } from '../model/event.ts';
import { type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import { type Mac, macFromBytes } from '../model/mac.ts';
import type { Boot } from './boots.ts';
import { giveBoots, Strangers } from './strangers.ts';
import { Timeline } from './timeline.ts';

const mac = (n: number): Mac => macFromBytes(Uint8Array.of(2, 0, 0, n >> 16, n >> 8, n));
const discover = (n: number, at: number, more: object = {}): Event => ({
  kind: 'dhcp.discover',
  stage: 'firmware',
  mac: mac(n),
  at,
  ...more,
});

describe('strangers', () => {
  it('are listed with their requests, where these arrived and what was answered', () => {
    const strangers = new Strangers();
    const machine = { vendorClass: 'PXEClient:Arch:00007', architectures: [7], firmware: 'efi-x64' };
    strangers.see(discover(1, 10, { via: 'br0', machine }));
    strangers.see({
      kind: 'dhcp.offer',
      stage: 'firmware',
      mac: mac(1),
      at: 11,
      ip: parseIpv4('10.0.0.7') as Ipv4,
      network: 'lan',
      via: 'br0',
    });
    const ip = parseIpv4('10.0.0.7');
    assert.ok(ip !== undefined);
    strangers.see({ kind: 'dhcp.ack', stage: 'firmware', mac: mac(1), at: 12, network: 'lan', ip });
    strangers.see({
      kind: 'dhcp.discover',
      stage: 'os',
      mac: mac(1),
      at: 20,
      machine: { vendorClass: 'dhcpcd', hostname: 'x' },
      classes: ['pxe'],
    });
    assert.deepEqual(strangers.list(), [
      {
        mac: mac(1),
        firstSeen: 10,
        lastSeen: 20,
        count: 2,
        messages: { discover: 2, offer: 1, ack: 1 },
        stage: 'os',
        triedToBoot: true,
        machine: { ...machine, hostname: 'x' },
        classes: ['pxe'],
        boot: {
          startedAt: 10,
          updatedAt: 20,
          state: 'booting',
          steps: [
            { at: 10, code: 'firmware-asks', status: 'done' },
            { at: 12, code: 'address', status: 'done' },
            { at: 20, code: 'system-asks', status: 'done' },
          ],
        },
        network: 'lan',
        via: 'br0',
        ip,
      },
    ]);
    strangers.see({ kind: 'dhcp.refused', mac: mac(2), at: 30, reason: 'no pool' });
    assert.deepEqual([strangers.list()[0]?.refusal, strangers.list()[0]?.triedToBoot], ['no pool', false]);
  });

  it('keep their attempt to boot, with what they fetched, and give it to the node that they become', () => {
    const strangers = new Strangers();
    const timeline = new Timeline();
    const sent = (at: number, file: string): Event => ({
      kind: 'tftp.sent',
      mac: mac(1),
      file,
      role: 'loader',
      bytes: 1,
      ms: 1,
      at,
    });
    strangers.see(sent(1, 'nobody/pxelinux.0'));
    assert.deepEqual(strangers.list(), [], 'a file alone makes no stranger');
    strangers.see(discover(1, 10));
    strangers.see(discover(2, 10, { stage: 'os' }));
    strangers.see(sent(20, 'pxelinux.0'));
    for (let n = 0; n < 1000; n++) strangers.see(sent(21 + n, `${n}${'x'.repeat(4000)}`));
    const [one] = strangers.list().filter((known) => known.mac === mac(1));
    assert.ok(one?.boot && one.boot.steps.length <= 31 && JSON.stringify(one).length < 40_000, 'it is bounded');

    const nodeOf = (card: Mac) => (card === mac(1) ? 'node07' : undefined);
    for (const _ of ['now', 'and at the next edit']) giveBoots(strangers.list(), timeline, nodeOf);
    assert.deepEqual(timeline.boots('node07'), [one.boot]);
    assert.deepEqual([...timeline.takeChanges()], [['node07', { boot: one.boot, seenAt: 1020 }]]);
    timeline.see({ kind: 'node.step', node: 'node07', code: 'agent', status: 'started', at: 2000 });
    assert.deepEqual(
      timeline.boots('node07').map(({ startedAt, steps }) => [startedAt, steps.at(-1)?.code]),
      [[10, 'agent']],
      'its boot goes on',
    );
    giveBoots(strangers.list(), timeline, nodeOf);
    assert.equal(timeline.boots('node07')[0]?.updatedAt, 2000, 'and is not taken back');
    assert.deepEqual(timeline.nodes(), ['node07']);
  });

  it('go behind newer boots of the node that they become', () => {
    const timeline = new Timeline();
    const boot = (startedAt: number): Boot => ({ startedAt, updatedAt: startedAt, state: 'booting', steps: [] });
    timeline.inherit('node01', [{ boot: boot(50), seenAt: 50 }]);
    timeline.takeChanges();
    timeline.inherit('node01', [
      { boot: boot(10), seenAt: 10 },
      { boot: boot(50), seenAt: 50 },
    ]);
    assert.deepEqual(
      timeline.boots('node01').map(({ startedAt }) => startedAt),
      [50, 10],
    );
    assert.equal(timeline.takeChanges().size, 0, 'the newest is saved, and it did not change');
    const further = { ...boot(50), updatedAt: 60 };
    timeline.inherit('node01', [{ boot: further, seenAt: 60 }]);
    assert.deepEqual(timeline.boots('node01'), [further, boot(10)], 'of one boot the record that goes further counts');
  });

  it('are no nodes, and no other events', () => {
    const strangers = new Strangers();
    strangers.see(discover(1, 1, { node: 'node01' }));
    strangers.see({ kind: 'server.started', at: 2 });
    assert.deepEqual(strangers.list(), []);
  });

  it('that come again are not displaced by a flood of made-up addresses', () => {
    const strangers = new Strangers();
    strangers.see(discover(1, 0));
    strangers.see(discover(1, 4000));
    for (let n = 100; n < 20_000; n++) strangers.see(discover(n, 5000 + n / 100));
    const list = strangers.list();
    assert.equal(list.length, 501);
    assert.equal(list.at(-1)?.mac, mac(1));
    assert.equal(list[0]?.mac, mac(19_999));
  });

  it('are bounded even where made-up addresses come again', () => {
    const strangers = new Strangers();
    for (let n = 0; n < 3000; n++) strangers.see(discover(n, n));
    for (let n = 0; n < 3000; n++) strangers.see(discover(n, 10_000 + n));
    assert.ok(strangers.list().length <= 1000);
  });

  it('are saved when they changed, forgotten when they went, and come back as they were', () => {
    const strangers = new Strangers();
    strangers.see(discover(1, 0));
    assert.deepEqual(
      strangers.takeChanges().changed.map((one) => one.mac),
      [mac(1)],
    );
    assert.deepEqual(strangers.takeChanges(), { changed: [], forgotten: [] });
    for (let n = 10; n < 600; n++) strangers.see(discover(n, n));
    const { changed, forgotten } = strangers.takeChanges();
    assert.equal(changed.length, 500);
    // Those that came and went meanwhile were never saved.
    assert.deepEqual(forgotten, [mac(1)]);
    const again = new Strangers(strangers.list());
    assert.deepEqual(again.list(), strangers.list());
    assert.deepEqual(again.takeChanges(), { changed: [], forgotten: [] });
  });

  it('need a bounded list of changes, and none is lost where they could not be saved', () => {
    const strangers = new Strangers();
    for (let n = 0; n < 600; n++) strangers.see(discover(n, n));
    const first = strangers.takeChanges();
    for (let n = 1000; n < 50_000; n++) strangers.see(discover(n, n));
    const second = strangers.takeChanges();
    assert(second.changed.length + second.forgotten.length <= 1000);
    strangers.putBack(second);
    for (let n = 50_000; n < 50_100; n++) strangers.see(discover(n, n));
    // A store that missed one saving holds what the list holds after the next.
    const stored = new Set(first.changed.map((one) => one.mac));
    const { changed, forgotten } = strangers.takeChanges();
    for (const one of forgotten) stored.delete(one);
    for (const one of changed) stored.add(one.mac);
    assert.deepEqual(
      [...stored].sort(),
      strangers
        .list()
        .map((one) => one.mac)
        .sort(),
    );
  });

  it('that were known before are joined with what was seen since', () => {
    const before = new Strangers();
    before.see(discover(1, 0));
    before.see(discover(1, 5000, { machine: { hostname: 'x' } }));
    before.see(discover(2, 6000));
    const strangers = new Strangers();
    strangers.see(discover(1, 10_000, { via: 'br0' }));
    strangers.remember(before.list());
    assert.deepEqual(
      strangers.list().map(({ mac, firstSeen, lastSeen, count, via }) => ({ mac, firstSeen, lastSeen, count, via })),
      [
        { mac: mac(1), firstSeen: 0, lastSeen: 10_000, count: 3, via: 'br0' },
        { mac: mac(2), firstSeen: 6000, lastSeen: 6000, count: 1, via: undefined },
      ],
    );
    for (let n = 10; n < 2000; n++) strangers.see(discover(n, 20_000));
    assert(strangers.takeChanges().forgotten.includes(mac(2)));
  });

  it('hold a bounded amount of text', () => {
    const strangers = new Strangers();
    const long = 'y'.repeat(50_000);
    const machine = { hostname: long, vendorClass: long, circuitId: long, architectures: Array.from(long, () => 7) };
    strangers.see(discover(1, 0, { machine }));
    assert(JSON.stringify(strangers.list()).length < 2000);
  });
});
