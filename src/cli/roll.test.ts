import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { aRoll, aRollNode, NEW_IMAGE } from '../roll/testing/fixture.ts';
import { openStore } from '../state/store.ts';
import { rollText } from './rollText.ts';

const reveille = (...args: string[]) =>
  spawnSync(join(import.meta.dirname, '../../bin/reveille'), args, { encoding: 'utf8' });

describe('reveille roll', () => {
  it('shows a roll as a table, a node a line, cut at the width of a terminal', () => {
    const nodes = [
      aRollNode('node01', { phase: 'done', note: { code: 'renewed', cycled: false } }),
      aRollNode('node02', {
        phase: 'draining',
        remaining: 3,
        note: { code: 'instances', remaining: 3, moving: 2 },
      }),
      aRollNode('node03'),
    ];
    const roll = aRoll([], { id: 'r1', begunAt: 1000, nodes, note: { code: 'earlier', words: 'something' } });
    const image = NEW_IMAGE.slice(0, 12);
    assert.equal(
      rollText(roll, 62_000),
      [
        'roll r1  running  1 of 3 done, 0 failed, 1 min 1 s',
        'something',
        'NODE    PHASE     IMAGE         INSTANCES',
        `node01  done      ${image}  -          renewed`,
        `node02  draining  ${image}  3          3 instances left, 2 on the way`,
        `node03  waiting   ${image}  -`,
      ].join('\n'),
    );
    assert.ok(
      rollText(roll, 0, { columns: 40, rows: 24 })
        .split('\n')
        .every((line) => line.length <= 40),
    );
  });

  it('shows of many nodes the most important, in their order, in as many lines as there are', () => {
    const nodes = Array.from({ length: 40 }, (_, i) =>
      aRollNode(`node${i + 1}`, { phase: i === 5 ? 'failed' : i === 30 ? 'booting' : i < 20 ? 'done' : 'waiting' }),
    );
    const lines = rollText(aRoll([], { nodes, note: { code: 'aborted' } }), 0, { columns: 80, rows: 8 }).split('\n');
    assert.equal(lines.length, 8);
    const names = lines.map((line) => line.split(' ')[0]);
    assert.deepEqual(names.slice(3), ['node6', 'node21', 'node22', 'node31', 'and']);
    assert.equal(lines[7], 'and 36 more: see reveille roll status');
  });

  const usages: readonly (readonly string[])[] = [
    ['roll'],
    ['roll', 'node01', '--max-unavailable', '0'],
    ['roll', 'node01', '--policy', 'hope'],
    ['roll', 'rollback', '--failures', '-1'],
  ];
  for (const args of usages) {
    it(`takes \`${args.join(' ')}\` for a mistake in usage`, () => assert.equal(reveille(...args).status, 2));
  }

  it('has help with an example for each of its commands', () => {
    for (const command of [[], ['status'], ['abort'], ['resume'], ['rollback']]) {
      const { status, stdout } = reveille('roll', ...command, '--help');
      assert.equal(status, 0);
      assert.match(stdout, /Example:\n {2}reveille roll/);
    }
  });

  it('shows the newest roll and the pins that the state holds where no server runs', async () => {
    const state = mkdtempSync(join(tmpdir(), 'roll-status-'));
    const store = await openStore(state);
    const nodes = [
      aRollNode('node01', { phase: 'done', note: { code: 'renewed', cycled: false } }),
      aRollNode('node02', { phase: 'booting' }),
    ];
    await store.rolls.save(aRoll([], { id: 'r1', begunAt: 1, nodes }), new Map([['node02', NEW_IMAGE]]), []);
    await store.close();
    const shown = reveille('roll', 'status', '--state', state);
    assert.match(
      shown.stdout,
      /roll r1 {2}running {2}1 of 2 done[\s\S]*node02 {2}booting[\s\S]*pinned to b{12}: node02/,
    );
    assert.match(shown.stderr, /No server is running/);
    const { roll, live } = JSON.parse(reveille('roll', 'status', 'r1', '--json', '--state', state).stdout);
    assert.deepEqual([roll.id, live], ['r1', false]);
    assert.equal(reveille('roll', 'status', 'r9', '--state', state).status, 1);
    rmSync(state, { recursive: true });
  });

  it('hands options behind a command to that command', () => {
    const { stderr } = reveille('roll', 'status', '--state', '/nonexistent/state');
    assert.match(stderr, /no server answers at \/nonexistent\/state\/reveille\.sock/);
  });
});
