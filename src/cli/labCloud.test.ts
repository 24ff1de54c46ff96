import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LabStatus } from '../lab/control.ts';
import { labCommand } from './lab.ts';
import { cloudUsage, rackText } from './labText.ts';
import { run } from './testing/runFixture.ts';

const CLOUD: LabStatus = {
  site: '/state/site',
  state: '/state',
  pid: 7,
  insidePid: 8,
  accelerator: 'tcg',
  machines: [{ name: 'node01', on: true, macs: ['52:54:00:00:00:51'], console: '/state/lab/node01.console' }],
  cloud: { runs: true, pid: 9, url: 'http://10.0.0.10:5000/v3', cloudsFile: '/state/clouds.yaml', logs: '/state/log' },
};

test('a cloud is shown beside its rack, also one whose controller has ended, and one that is being set up', () => {
  assert.equal(
    rackText(CLOUD),
    [
      'Rack of /state/site, processors by software (TCG): KVM does not work here',
      'MACHINE  POWER  CARDS              CONSOLE',
      'node01   on     52:54:00:00:00:51  /state/lab/node01.console',
      '',
      'Cloud at http://10.0.0.10:5000/v3',
      '  clouds.yaml  /state/clouds.yaml (entry: lab)',
      '  logs         /state/log',
    ].join('\n'),
  );
  const { cloud, ...rack } = CLOUD;
  assert.match(rackText({ ...rack, ...(cloud && { cloud: { ...cloud, runs: false } }) }), /controller has ended/);
  assert.equal(
    rackText({ site: '/state/site', state: '/state', pid: 7, doing: 'unpacking nova', machines: [] }),
    'The rack of /state/site is being set up: unpacking nova',
  );
  assert.match(
    cloudUsage(CLOUD),
    /lab cloud exec --state \/state -- openstack .*\n.*curl http:\/\/10\.0\.0\.10:5000\/v3/,
  );
});

test('without a lab cloud there is nothing to end, and nothing to show or to run programs in', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'lab-cloud-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const cloud = (...words: string[]) => run(labCommand(), ['cloud', ...words, '--state', state]);
  assert.deepEqual(await cloud('down'), { out: `No lab cloud of ${state} is up: nothing is left to end.`, code: 0 });
  await assert.rejects(cloud('status'), { code: 'LAB_FAILED', message: /no lab cloud of .* is up/ });
  await assert.rejects(cloud('exec', 'true'), { code: 'LAB_FAILED', hint: /lab cloud up/ });
});

test('a lab cloud is for root alone, and says so before it does anything', async (t) => {
  const { getuid } = process;
  process.getuid = () => 1000;
  t.after(() => {
    if (getuid) process.getuid = getuid;
  });
  await assert.rejects(run(labCommand(), ['cloud', 'up', '--site', '/nowhere']), {
    code: 'PRIVILEGE_MISSING',
    message: /needs root/,
    hint: /sudo/,
  });
});
