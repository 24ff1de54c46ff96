import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { networkOf, siteOf } from '../../src/dhcp/testing/fixture.ts';
import { ip, mac, nodeOf } from '../../src/site/testing/fixture.ts';
import {
  addMachine,
  clientScript,
  layBridge,
  NODE_MAC,
  requireTools,
  run,
  serve,
  sh,
  start,
  tidy,
} from './dhcp.rig.ts';

// Thousands of machines that the site does not list ask for addresses of a pool that nodes draw from, too.

requireTools('perfdhcp', 'udhcpc');

const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-flood-'));
const script = clientScript(join(folder, 'script'), join(folder, 'notes'));
const POOL_NODE = mac('52:54:00:00:00:52');

before(layBridge);
afterEach(tidy);
after(() => {
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

const site = siteOf(
  [networkOf('rack', '10.0.0.0/24', [['10.0.0.200-10.0.0.209', 'any']])],
  [nodeOf('node01', [NODE_MAC], { ip: ip('10.0.0.51'), network: 'rack' }), nodeOf('node02', [POOL_NODE])],
);

async function ask(machine: string): Promise<string | undefined> {
  const { output } = await run(
    machine,
    20,
    'udhcpc',
    '-f',
    '-i',
    'eth0',
    '-n',
    '-q',
    '-t',
    '5',
    '-T',
    '1',
    '-s',
    script,
  );
  return /lease of ([0-9.]+) obtained/.exec(output)?.[1];
}

test('nodes are given their addresses during a flood of strangers, and of a pool they share with them', async () => {
  addMachine('node01', NODE_MAC);
  addMachine('node02', POOL_NODE);
  addMachine('guest', '52:54:00:00:0f:01');
  addMachine('load', '52:54:00:00:0f:02');
  sh('ip -n load addr add 10.0.0.9/24 dev eth0');
  const { events } = await serve(site);
  const flood = start('load', 'perfdhcp', '-4', '-r', '1000', '-R', '100000', '-p', '12', '-W', '0', '10.0.0.2');
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const [own, drawn, guest] = await Promise.all(['node01', 'node02', 'guest'].map(ask));
  assert.equal(own, '10.0.0.51');
  assert.match(String(drawn), /^10\.0\.0\.20[0-9]$/);
  assert.equal(guest, undefined, 'strangers have used up what is theirs');
  assert.equal(flood.child.exitCode, null, 'the flood went on all the time');
  const reasons = new Set(events.flatMap((event) => (event.kind === 'dhcp.refused' ? [event.reason] : [])));
  assert.ok(
    [...reasons].some((reason) => /kept for nodes/.test(reason)),
    [...reasons].join('\n'),
  );
});
