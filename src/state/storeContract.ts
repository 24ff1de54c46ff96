import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../errors.ts';
import type { Event } from '../model/event.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import { type Mac, macFromBytes } from '../model/mac.ts';
import { aRoll } from '../roll/fixture.ts';
import type { Stranger } from '../timeline/strangers.ts';
import type { Store } from './store.ts';

export const mac = (last: number): Mac => macFromBytes(Uint8Array.of(0x52, 0x54, 0, 0, 0, last));
export const ip = (last: number): Ipv4 => (0x0a000000 + last) as Ipv4;

/** A lease of MAC `owner` on 10.0.0.`last`. */
export function lease(last: number, owner: number, more: Partial<Lease> = {}): Lease {
  const start = 1_800_000_000_000;
  return { ip: ip(last), mac: mac(owner), network: 'rack', state: 'bound', start, expires: start + 7_200_000, ...more };
}

/** An event of one node (or of a stranger). */
export function offer(at: number, who: { node?: string; mac?: Mac } = {}): Event {
  return { kind: 'dhcp.offer', stage: 'firmware', at, ...who };
}

const byIp = (leases: readonly Lease[]): Lease[] => [...leases].sort((a, b) => a.ip - b.ip);
const times = (events: readonly Event[]): number[] => events.map(({ at }) => at);

/** What every store must do. `open` gives a new empty one each time. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} keeps the contract of a store:`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    test('at first there is nothing', async () => {
      assert.deepEqual(await store.load(), []);
      assert.deepEqual(await store.events({ limit: 10 }), []);
      assert.equal((await store.inventories()).size, 0);
      assert.equal((await store.applied()).size, 0);
    });

    test('a lease comes back as it was, with every field and with none that may lack', async () => {
      const full = lease(51, 1, { clientId: Uint8Array.of(1, 0, 255), hostname: 'node01', reserved: true });
      const bare = lease(52, 2, { state: 'released' });
      const highest: Lease = { ...lease(0, 3), ip: 0xfffffffe as Ipv4, state: 'declined' };
      await store.commit([full, bare, highest]);
      assert.deepEqual(byIp(await store.load()), [full, bare, highest]);
    });

    test('an address has one lease: the last', async () => {
      await store.commit([lease(51, 1, { hostname: 'old', clientId: Uint8Array.of(1) }), lease(51, 2)]);
      assert.deepEqual(await store.load(), [lease(51, 2)]);
      await store.commit([lease(51, 1, { state: 'released' })]);
      assert.deepEqual(await store.load(), [lease(51, 1, { state: 'released' })]);
    });

    test('a MAC is bound to one address in each network: the last', async () => {
      await store.commit([lease(51, 1)]);
      await store.commit([lease(52, 1), lease(53, 1), lease(61, 1, { network: 'lan' })]);
      assert.deepEqual(byIp(await store.load()), [lease(53, 1), lease(61, 1, { network: 'lan' })]);
    });

    test('what is committed later counts, in one group too', async () => {
      const released = lease(51, 1, { state: 'released' });
      await store.commit([lease(51, 2)]);
      await store.commit([lease(52, 1), released]);
      assert.deepEqual(byIp(await store.load()), [released, lease(52, 1)]);
      await store.commit([lease(51, 1), lease(53, 1), lease(53, 2)]);
      assert.deepEqual(await store.load(), [lease(53, 2)]);
    });

    test('an address that a MAC declined stays set aside when that MAC gets another', async () => {
      const declined = lease(51, 1, { state: 'declined' });
      await store.commit([declined, lease(52, 1)]);
      assert.deepEqual(byIp(await store.load()), [declined, lease(52, 1)]);
    });

    test('commits that overlap all last, the later one over the earlier', async () => {
      const all = Array.from({ length: 200 }, (_, i) => lease(i + 1, i));
      const renewed = lease(200, 199, { expires: 1_900_000_000_000 });
      await Promise.all([...all, renewed].map((one) => store.commit([one])));
      assert.deepEqual(byIp(await store.load()), [...all.slice(0, -1), renewed]);
    });

    test('an empty commit and an empty list of events are nothing', async () => {
      await store.commit([]);
      await store.saveEvents([]);
      assert.deepEqual(await store.load(), []);
      assert.deepEqual(await store.events({ limit: 10 }), []);
    });

    test('after any commits an address has its last lease and a MAC one bound address', async () => {
      const anyLease = fc
        .record({
          last: fc.integer({ min: 1, max: 4 }),
          owner: fc.integer({ min: 1, max: 3 }),
          state: fc.constantFrom('bound', 'released', 'declined'),
          network: fc.constantFrom('rack', 'lan'),
        })
        .map(({ last, owner, state, network }) => lease(last, owner, { state, network }));
      await fc.assert(
        fc.asyncProperty(fc.array(anyLease, { maxLength: 8 }), async (leases) => {
          await store.commit(leases);
          const loaded = await store.load();
          const bound = loaded.filter((one) => one.state === 'bound').map((one) => `${one.network} ${one.mac}`);
          assert.equal(new Set(bound).size, bound.length);
          assert.equal(new Set(loaded.map((one) => one.ip)).size, loaded.length);
          const last = leases.at(-1);
          if (last)
            assert(loaded.some((one) => one.ip === last.ip && one.mac === last.mac && one.state === last.state));
        }),
        { numRuns: 30 },
      );
    });

    test('events come back whole, oldest first, the newest where there are more than the limit', async () => {
      const step: Event = {
        kind: 'node.step',
        step: 'files',
        status: 'failed',
        output: 'é\n"',
        at: 5,
        node: 'node01',
        ip: ip(51),
      };
      await store.saveEvents([offer(1), offer(2)]);
      await store.saveEvents([step]);
      assert.deepEqual(await store.events({ limit: 10 }), [offer(1), offer(2), step]);
      assert.deepEqual(await store.events({ limit: 2 }), [offer(2), step]);
    });

    test('events are found by node, MAC and time', async () => {
      const one = { node: 'node01', mac: mac(1) };
      const two = { node: 'node02', mac: mac(2) };
      await store.saveEvents([offer(1, one), offer(2, two), offer(3, { mac: mac(3) }), offer(4, one)]);
      assert.deepEqual(times(await store.events({ nodes: ['node01'], limit: 10 })), [1, 4]);
      assert.deepEqual(times(await store.events({ nodes: ['node02', 'node01'], since: 2, limit: 10 })), [2, 4]);
      assert.deepEqual(times(await store.events({ mac: mac(3), limit: 10 })), [3]);
      assert.deepEqual(times(await store.events({ since: 2, limit: 2 })), [3, 4]);
      assert.deepEqual(times(await store.events({ nodes: ["x' or '1'='1"], limit: 10 })), []);
    });

    test('strangers are kept as they were last seen, until they are forgotten', async () => {
      assert.deepEqual(await store.strangers(), []);
      const seen = (last: number, count: number): Stranger => ({
        mac: mac(last),
        firstSeen: 1,
        lastSeen: count,
        count,
        triedToBoot: true,
        machine: { hostname: 'x', architectures: [7] },
      });
      await store.saveStrangers([seen(1, 1), seen(2, 1)], [mac(9)]);
      await store.saveStrangers([seen(2, 5), seen(3, 1)], [mac(1)]);
      await store.saveStrangers([], []);
      const byMac = (await store.strangers()).toSorted((a, b) => (a.mac < b.mac ? -1 : 1));
      assert.deepEqual(byMac, [seen(2, 5), seen(3, 1)]);
    });

    test('events are read up to so many bytes, the newest first', async () => {
      await store.saveEvents([offer(1), offer(2), offer(3)]);
      const bytes = JSON.stringify(offer(3)).length;
      assert.deepEqual(times(await store.events({ limit: 10, bytes: 2 * bytes })), [2, 3]);
      assert.deepEqual(times(await store.events({ limit: 1, bytes: 2 * bytes })), [3]);
      assert.deepEqual(times(await store.events({ limit: 10, bytes: bytes - 1 })), []);
      assert.deepEqual(times(await store.events({ limit: 10, bytes: 1e9 })), [1, 2, 3]);
    });

    test('an inventory takes the place of the one before', async () => {
      await store.saveInventory(mac(1), 10, { nics: ['eth0'] });
      await store.saveInventory(mac(2), 11, null);
      await store.saveInventory(mac(1), 12, { nics: ['eth0', 'eth1'] });
      const all = await store.inventories();
      assert.deepEqual(all.get(mac(1)), { at: 12, inventory: { nics: ['eth0', 'eth1'] } });
      assert.deepEqual(all.get(mac(2)), { at: 11, inventory: null });
      assert.equal(all.size, 2);
    });

    test('an identity is kept once: whoever comes second is told what the first kept', async () => {
      assert.deepEqual(await store.identityOf('node01'), new Map());
      const first = new Map([
        ['machine-id', 'a'],
        ['ssh-rsa', 'line\nfile\n'],
      ]);
      const both = await Promise.all([
        store.keepIdentity('node01', first),
        store.keepIdentity('node01', new Map([['machine-id', 'b']])),
      ]);
      assert.deepEqual(both, [first, first]);
      assert.deepEqual(await store.keepIdentity('node01', new Map()), first);
      assert.deepEqual(await store.identityOf('node01'), first);
      assert.deepEqual(await store.identityOf('node02'), new Map());
    });

    test('no two nodes are ever the same', async () => {
      await store.keepIdentity('node01', new Map([['machine-id', 'a']]));
      const parts = new Map([
        ['machine-id', 'a'],
        ['compute-id', 'a'],
      ]);
      assert.deepEqual(await store.keepIdentity('node02', parts), new Map([['compute-id', 'a']]));
    });

    test('a certificate takes the place of the one that it renews, and of no other', async () => {
      const [a, b, c] = ['a', 'b', 'c'].map((one) => ({ key: `key ${one}`, certificate: `certificate ${one}` }));
      assert(a && b && c);
      assert.equal(await store.certificateOf('node01'), undefined);
      const both = await Promise.all([
        store.keepCertificate('node01', a, undefined),
        store.keepCertificate('node01', b, undefined),
      ]);
      assert.deepEqual(both, [a, a]);
      assert.deepEqual(await store.keepCertificate('node01', b, a), b);
      assert.deepEqual(await store.keepCertificate('node01', c, a), b);
      assert.deepEqual({ ...(await store.certificateOf('node01')) }, b);
      assert.equal(await store.certificateOf(''), undefined);
      assert.deepEqual(await store.keepCertificate('', c, undefined), c);
    });

    test('what a node told of its files takes the place of what it told before, until it is forgotten', async () => {
      const told = { sha256: 'ab'.repeat(32), manifest: 'file\t0644\troot\troot\tx\t/etc/é\n', drifted: 0, drift: [] };
      const drift = [{ path: '/etc/a', what: 'access', access: { mode: '600', owner: 0, group: 7 } }] as const;
      await store.saveApplied('node01', 10, told);
      await store.saveApplied('node02', 11, told);
      await store.saveApplied('node01', 12, { sha256: 'cd'.repeat(32), failed: 'hook: x', drifted: 3, drift });
      const all = await store.applied();
      assert.deepEqual(all.get('node01'), { at: 12, sha256: 'cd'.repeat(32), failed: 'hook: x', drifted: 3, drift });
      assert.deepEqual(all.get('node02'), { at: 11, ...told });
      await store.forgetApplied(['node01', 'node09']);
      await store.forgetApplied([]);
      assert.deepEqual([...(await store.applied()).keys()], ['node02']);
    });

    test('a roll takes the place of what it was, with its pins, and others are forgotten', async () => {
      assert.deepEqual(await store.rolls(), []);
      assert.deepEqual(await store.pins(), new Map());
      const roll = aRoll(['node01', 'node02'], { id: 'r1', begunAt: 5 });
      await store.saveRoll(roll, new Map([['node01', 'aa']]), []);
      const older = aRoll(['node03'], { id: 'r0', begunAt: 4 });
      await store.saveRoll(older, new Map([['node03', 'é']]), []);
      const stopped = { ...roll, state: 'stopped', words: "it's over" } as const;
      await store.saveRoll(
        stopped,
        new Map([
          ['node01', null],
          ['node02', 'bb'],
          ['node03', 'cc'],
          ['node09', null],
        ]),
        ['r7'],
      );
      assert.deepEqual(await store.rolls(), [older, stopped]);
      const pins = [...(await store.pins())].sort();
      assert.deepEqual(pins, [
        ['node02', 'bb'],
        ['node03', 'cc'],
      ]);
      const newer = aRoll(['node01'], { id: 'r2', begunAt: 6 });
      await store.saveRoll(newer, new Map(), ['r0', 'r1']);
      assert.deepEqual(await store.rolls(), [newer]);
    });

    test('the newest boot of a node takes the place of the one before', async () => {
      const boot = {
        startedAt: 1,
        updatedAt: 2,
        state: 'booting',
        steps: [{ at: 1, name: 'é', status: 'done' }],
      } as const;
      await store.saveBoots(new Map());
      assert.equal((await store.boots()).size, 0);
      await store.saveBoots(new Map(['node01', 'node02'].map((node) => [node, { boot, seenAt: 2 }])));
      const later = { boot: { ...boot, state: 'ready' }, seenAt: 9 } as const;
      await store.saveBoots(new Map([['node02', later]]));
      assert.deepEqual([...(await store.boots())].sort(), [
        ['node01', { boot, seenAt: 2 }],
        ['node02', later],
      ]);
    });

    test('what is known of a token takes the place of what was, until it is forgotten', async () => {
      assert.deepEqual(await store.tokens(), new Map());
      await store.saveTokens(new Map());
      await store.saveTokens(
        new Map([
          ['node01', 'é 1'],
          ['node02', 'b'],
          ['node03', null],
        ]),
      );
      await store.saveTokens(
        new Map([
          ['node01', 'c'],
          ['node02', null],
          ['node03', 'd'],
        ]),
      );
      assert.deepEqual([...(await store.tokens())].sort(), [
        ['node01', 'c'],
        ['node03', 'd'],
      ]);
    });

    test('closed, it refuses', async () => {
      await store.close();
      for (const call of [
        store.commit([lease(1, 1)]),
        store.load(),
        store.saveEvents([offer(1)]),
        store.identityOf('a'),
      ])
        await assert.rejects(call, (error) => error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE');
    });
  });
}
