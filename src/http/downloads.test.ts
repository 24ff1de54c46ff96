import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Downloads } from './downloads.ts';

const KB = 1024;

/** Downloads over a clock of the test's own; `ran` lets so many seconds go by in which each takes what its rate says. */
function rig(t: TestContext, most: number, mostPerClient = most) {
  let now = 0;
  const downloads = new Downloads<string>({ most, mostPerClient, now: () => now });
  const cut = new Map<string, string>();
  const running = new Map<string, { client: string; rate: number; sent: (bytes: number) => void; end: () => void }>();
  t.after(() => running.forEach((one) => void one.end()));
  return {
    downloads,
    cut,
    begin(name: string, client: string, rate: number): boolean {
      const one = downloads.begin(client, (reason) => {
        cut.set(name, reason);
        running.delete(name);
      });
      if (one) running.set(name, { client, rate, ...one });
      return one !== undefined;
    },
    run(seconds: number): void {
      for (let i = 0; i < seconds; i++) {
        now += 1000;
        for (const { rate, sent } of running.values()) if (rate > 0) sent(rate);
      }
    },
    end: (name: string) => running.get(name)?.end(),
  };
}

describe('places of large transfers', () => {
  it('are as many as may be, in all and for each client, and are given back once', (t) => {
    const { begin, end, downloads } = rig(t, 3, 2);
    assert.ok(begin('a1', 'a', KB) && begin('a2', 'a', KB));
    assert.equal(begin('a3', 'a', KB), false);
    assert.ok(begin('b1', 'b', KB));
    end('a1');
    end('a1');
    assert.equal(downloads.size, 2);
    assert.ok(begin('a4', 'a', KB));
  });

  it('go from the slowest to who waits, once it has been slow for long enough', (t) => {
    const { begin, run, cut } = rig(t, 3);
    for (const [name, rate] of [
      ['slow', 8 * KB],
      ['slower', 2 * KB],
      ['fast', 900 * KB],
    ] as const)
      begin(name, name, rate);
    run(10);
    assert.equal(begin('new', 'new', KB), false, 'none is known to be slow yet');
    run(11);
    assert.ok(begin('new', 'new', 900 * KB));
    assert.deepEqual([...cut.keys()], ['slower']);
    assert.ok(begin('newer', 'newer', 900 * KB));
    assert.deepEqual([...cut.keys()], ['slower', 'slow']);
    assert.equal(begin('last', 'last', KB), false, 'the fast and the young stay');
  });

  it('go from one that stopped, though it was fast before', (t) => {
    const { begin, run, cut } = rig(t, 1);
    const one = begin('one', 'a', 900 * KB);
    assert.ok(one);
    run(30);
    assert.equal(begin('two', 'b', KB), false);
    const stopped = rig(t, 1);
    stopped.begin('one', 'a', 0);
    stopped.run(21);
    assert.ok(stopped.begin('two', 'b', KB));
    assert.deepEqual([...stopped.cut.keys()], ['one']);
    assert.equal(cut.size, 0);
  });

  it('go from the client that has most, at once, but never for one of as many', (t) => {
    const { begin, run, cut } = rig(t, 6);
    for (let i = 0; i < 4; i++) begin(`crowd${i}`, 'crowd', (i + 1) * 100 * KB);
    begin('b1', 'b', KB * 100);
    begin('c1', 'c', KB * 100);
    run(2);
    assert.ok(begin('d1', 'd', KB));
    assert.deepEqual([...cut.keys()], ['crowd0'], 'its slowest');
    assert.ok(begin('b2', 'b', KB));
    assert.deepEqual([...cut.keys()], ['crowd0', 'crowd1']);
    assert.equal(begin('crowd9', 'crowd', KB), false);
    assert.equal(begin('b3', 'b', KB), false);
    assert.ok(begin('e1', 'e', KB), 'one with none goes before the second of another');
  });

  it('are taken from who takes less than any machine would, others waiting or not', (t) => {
    const { begin, run, cut, downloads } = rig(t, 9);
    begin('dead', 'a', 500);
    begin('slow but real', 'b', 4 * KB);
    run(119);
    downloads.giveUpSlowest();
    assert.equal(cut.size, 0);
    run(2);
    downloads.giveUpSlowest();
    assert.deepEqual([...cut], [['dead', 'the client takes less than 1 kB/s']]);
    assert.equal(downloads.size, 1);
  });
});
