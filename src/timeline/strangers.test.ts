import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpv4 } from '../net/ipv4.ts';
import { type Mac, macFromBytes } from '../net/mac.ts';
import type { Event } from './event.ts';
import { createStrangers } from './strangers.ts';

const mac = (n: number): Mac => macFromBytes(Uint8Array.of(2, 0, 0, n >> 16, n >> 8, n));
const discover = (n: number, at: number, more: object = {}): Event => ({
  kind: 'dhcp.discover',
  stage: 'firmware',
  mac: mac(n),
  at,
  ...more,
});

describe('strangers', () => {
  it('are told with what they said, where they asked and what they were given', () => {
    const strangers = createStrangers();
    const machine = { vendorClass: 'PXEClient:Arch:00007', architectures: [7], firmware: 'efi-x64' };
    strangers.see(discover(1, 10, { via: 'br0', machine }));
    strangers.see({ kind: 'dhcp.offer', stage: 'firmware', mac: mac(1), at: 11, network: 'lan', via: 'br0' });
    const ip = parseIpv4('10.0.0.7');
    assert.ok(ip !== undefined);
    strangers.see({ kind: 'dhcp.ack', stage: 'firmware', mac: mac(1), at: 12, network: 'lan', ip });
    strangers.see({
      kind: 'dhcp.discover',
      stage: 'os',
      mac: mac(1),
      at: 20,
      machine: { vendorClass: 'dhcpcd', hostname: 'x' },
    });
    assert.deepEqual(strangers.list(), [
      {
        mac: mac(1),
        firstSeen: 10,
        lastSeen: 20,
        count: 2,
        stage: 'os',
        triedToBoot: true,
        machine: { ...machine, hostname: 'x' },
        network: 'lan',
        via: 'br0',
        ip,
      },
    ]);
    strangers.see({ kind: 'dhcp.refused', mac: mac(2), at: 30, reason: 'no pool' });
    assert.deepEqual([strangers.list()[0]?.refusal, strangers.list()[0]?.triedToBoot], ['no pool', false]);
  });

  it('are no nodes, and no other events', () => {
    const strangers = createStrangers();
    strangers.see(discover(1, 1, { node: 'node01' }));
    strangers.see({ kind: 'server.started', at: 2 });
    assert.deepEqual(strangers.list(), []);
  });

  it('that come again are not pushed out by a flood of made-up addresses', () => {
    const strangers = createStrangers();
    strangers.see(discover(1, 0));
    strangers.see(discover(1, 4000));
    for (let n = 100; n < 20_000; n++) strangers.see(discover(n, 5000 + n / 100));
    const list = strangers.list();
    assert.equal(list.length, 501);
    assert.equal(list.at(-1)?.mac, mac(1));
    assert.equal(list[0]?.mac, mac(19_999));
  });

  it('are bounded even where made-up addresses come again', () => {
    const strangers = createStrangers();
    for (let n = 0; n < 3000; n++) strangers.see(discover(n, n));
    for (let n = 0; n < 3000; n++) strangers.see(discover(n, 10_000 + n));
    assert.ok(strangers.list().length <= 1000);
  });

  it('are saved when they changed, forgotten when they went, and come back as they were', () => {
    const strangers = createStrangers();
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
    const again = createStrangers(strangers.list());
    assert.deepEqual(again.list(), strangers.list());
    assert.deepEqual(again.takeChanges(), { changed: [], forgotten: [] });
  });

  it('need a bounded list of changes, and none is lost where they could not be saved', () => {
    const strangers = createStrangers();
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
    const before = createStrangers();
    before.see(discover(1, 0));
    before.see(discover(1, 5000, { machine: { hostname: 'x' } }));
    before.see(discover(2, 6000));
    const strangers = createStrangers();
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
    const strangers = createStrangers();
    const long = 'y'.repeat(50_000);
    const machine = { hostname: long, vendorClass: long, circuitId: long, architectures: Array.from(long, () => 7) };
    strangers.see(discover(1, 0, { machine }));
    assert(JSON.stringify(strangers.list()).length < 2000);
  });
});
