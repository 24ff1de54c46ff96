import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ReveilleError } from '../errors.ts';
import type { Happening } from '../model/event.ts';
import { CloudFollower } from './follow.ts';
import type { Expected } from './inService.ts';
import type { CloudView } from './view.ts';

const EMPTY: CloudView = { services: [], hypervisors: [], agents: [], providers: [], clockAheadMs: 0 };
const FULL: CloudView = {
  services: [{ id: 's', host: 'node01', up: true, enabled: true, updatedAt: 2000 }],
  hypervisors: [{ id: 'h', name: 'node01', host: 'node01', up: true }],
  agents: [],
  providers: [{ id: 'h', name: 'node01' }],
  clockAheadMs: 0,
};
const NODE: Expected = { node: 'node01', bootedAt: 1000, networkAgents: [] };

test('each change of a standing is reported once; while a boot waits the cloud is asked every 5 s, later every minute', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const answers: (CloudView | ReveilleError)[] = [EMPTY, EMPTY, new ReveilleError('CLOUD_REFUSED', 'no'), FULL, EMPTY];
  const view = mock.fn(async () => {
    const answer = answers[Math.min(view.mock.callCount(), answers.length - 1)];
    if (!answer || answer instanceof Error) throw answer;
    return answer;
  });
  const reported: Happening[] = [];
  const missed = mock.fn();
  using _ = new CloudFollower({
    expected: () => [NODE],
    view,
    onMissing: missed,
    emit: (event) => reported.push(event),
  });
  const standings = () => reported.map((event) => (event.kind === 'cloud.standing' ? event.standing : event.kind));

  await turn();
  assert.deepEqual(standings(), ['compute-service']);
  for (const expected of [
    ['compute-service'],
    ['compute-service', 'cloud'],
    ['compute-service', 'cloud', 'in-service'],
  ]) {
    t.mock.timers.tick(5000);
    await turn();
    assert.deepEqual(standings(), expected);
  }
  t.mock.timers.tick(5000);
  await turn();
  assert.equal(view.mock.callCount(), 4, 'in service: no hurry');
  t.mock.timers.tick(60_000);
  await turn();
  assert.deepEqual(standings().at(-1), 'compute-service', 'a node that leaves service is reported');
  assert.equal(missed.mock.callCount(), 3, 'while the cloud does not answer, no node counts as missing');
});

test('an exception is reported, and the cloud is still followed', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const view = mock.fn(async () => {
    if (view.mock.callCount() === 0) throw new TypeError('of undefined');
    return FULL;
  });
  const reported: Happening[] = [];
  using _ = new CloudFollower({
    expected: () => [NODE],
    view,
    onMissing: () => {},
    emit: (event) => reported.push(event),
  });
  await turn();
  assert.deepEqual(reported, [{ kind: 'server.trouble', code: 'SERVER_FAILED', message: 'of undefined' }]);
  t.mock.timers.tick(60_000);
  await turn();
  assert.equal(reported.at(-1)?.kind, 'cloud.standing');
});

test('a cloud is not asked while no node should be in service', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const view = mock.fn(async () => EMPTY);
  let expected: readonly Expected[] = [];
  const reported: Happening[] = [];
  using _ = new CloudFollower({
    expected: () => expected,
    view,
    onMissing: () => {},
    emit: (event) => reported.push(event),
  });
  await turn();
  assert.equal(view.mock.callCount(), 0);
  expected = [NODE];
  t.mock.timers.tick(5000);
  await turn();
  assert.equal(reported.length, 1);
});
