import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RollStore } from '../rollStore.ts';
import { aRoll, aRollNode } from './fixture.ts';

/** What every store of rolls and pins must do. `open` gives a new empty one each time, and what another server has of the same state. */
export function rollStoreContract(
  name: string,
  open: () => Promise<{ readonly store: RollStore; readonly other: RollStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of rolls:`, () => {
    test('a roll takes the place of what it was, with its pins, and others are forgotten', async () => {
      await using opened = await open();
      const { store } = opened;
      assert.deepEqual(await store.rolls(), []);
      assert.deepEqual(await store.pins(), new Map());
      const roll = aRoll(['node01', 'node02'], { id: 'r1', begunAt: 5 });
      await store.save(roll, new Map([['node01', 'aa']]), []);
      const older = aRoll(['node03'], { id: 'r0', begunAt: 4 });
      await store.save(older, new Map([['node03', 'é']]), []);
      const stopped = { ...roll, state: 'stopped', note: { code: 'earlier', words: "it's over" } } as const;
      await store.save(
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
      await store.save(newer, new Map(), ['r0', 'r1']);
      assert.deepEqual(await store.rolls(), [newer]);
    });

    test('a roll comes back with all that it knows of its nodes', async () => {
      await using opened = await open();
      const { store } = opened;
      const move = { kind: 'cold', tries: 2, askedAt: 3, refused: 'é', confirmedAt: 4 } as const;
      const node = aRollNode('node01', {
        phase: 'rebooting',
        pinBefore: 'aa',
        askedAt: 7,
        deafSince: 6,
        cycle: { askedAt: 5, refused: 'no' },
        remaining: 0,
        rebootFrom: 1,
        moves: { i1: move, i2: { kind: 'live', tries: 1, askedAt: 3 } },
        restoreTo: 'left',
      });
      const roll = { ...aRoll([], { endedAt: 9, takesBack: 'r0', keepPins: true }), nodes: [node] };
      await store.save(roll, new Map(), []);
      assert.deepEqual(await store.rolls(), [roll]);
    });

    test('of two servers that change a roll, the second is refused until it has read what the first left', async () => {
      await using opened = await open();
      const { store, other } = opened;
      const roll = aRoll(['node01'], { id: 'r1', begunAt: 5 });
      assert.equal(await store.save(roll, new Map(), []), true);
      assert.equal(
        await other.save({ ...roll, note: { code: 'earlier', words: 'begun by another' } }, new Map(), []),
        false,
      );
      assert.deepEqual(await other.rolls(), [roll]);
      const stopping = { ...roll, state: 'stopping' } as const;
      assert.equal(await other.save(stopping, new Map(), []), true);
      assert.equal(await store.save({ ...roll, note: { code: 'earlier', words: 'goes on' } }, new Map(), []), false);
      assert.deepEqual(await store.rolls(), [stopping]);
      const done = { ...roll, state: 'done' } as const;
      assert.equal(await store.save(done, new Map(), []), true);
      assert.deepEqual(await other.rolls(), [done]);
      // What has been forgotten by another cannot be changed, and is not begun anew.
      assert.equal(await store.save(aRoll([], { id: 'r2', begunAt: 6 }), new Map(), ['r1']), true);
      assert.equal(await other.save(stopping, new Map(), []), false);
    });

    test('a pin is taken once, and a roll whose pins another has taken is not kept', async () => {
      await using opened = await open();
      const { store, other } = opened;
      const pinning = (id: string, node: string, image: string | null) =>
        [aRoll([node], { id }), new Map([[node, image]]), []] as const;
      assert.equal(await store.save(...pinning('r1', 'node01', 'aa')), true);
      assert.equal(await other.save(...pinning('r2', 'node01', 'bb')), false);
      assert.deepEqual([...(await other.pins())], [['node01', 'aa']]);
      assert.deepEqual(
        (await other.rolls()).map(({ id }) => id),
        ['r1'],
      );
      assert.equal(await other.save(...pinning('r2', 'node01', 'bb')), true);
      assert.equal(await store.save(...pinning('r3', 'node01', null)), false);
      assert.equal(await store.save(...pinning('r4', 'node01', 'cc')), false);
      await store.pins();
      assert.equal(await store.save(...pinning('r3', 'node01', null)), true);
      assert.deepEqual(await store.pins(), new Map());
      assert.equal(await other.save(...pinning('r5', 'node01', 'dd')), false);
      // A pin that is not known is not taken away.
      assert.equal(await other.save(...pinning('r6', 'node02', null)), true);
    });
  });
}
