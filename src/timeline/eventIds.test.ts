import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventIds } from './eventIds.ts';

const NOW = Date.UTC(2026, 0, 1);

test('ids count up whatever the clock does, and go on after those that are kept', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer({ min: 0, max: 2 * NOW }), fc.constant(Number.MAX_VALUE))), (times) => {
      const ids = new EventIds();
      let last = Number.NEGATIVE_INFINITY;
      for (const [i, now] of times.entries()) {
        if (i === 3) ids.startAfter(last + 5);
        const id = ids.next(now);
        assert.ok(Number.isSafeInteger(id));
        assert.ok(id > last + (i === 3 ? 5 : 0));
        assert.ok(ids.mayBePast(id, now));
        last = id;
      }
    }),
  );
});

test('a run that cannot read what is kept has greater ids than the run before', () => {
  const before = new EventIds();
  const last = Array.from({ length: 5000 }, () => before.next(NOW)).at(-1) ?? 0;
  assert.ok(new EventIds().next(NOW + 10) > last);
});

test('an id of a future time belongs to no event', () => {
  const ids = new EventIds();
  const id = ids.next(NOW);
  assert.equal(ids.mayBePast(id + 1000, NOW), false);
  assert.equal(ids.mayBePast(id + 1000, NOW + 1), true, 'the run before may have given it');
});
