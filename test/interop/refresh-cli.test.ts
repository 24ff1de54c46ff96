import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { NodeDiff } from '../../src/node/diff.ts';
import type { Status } from '../../src/timeline/status.ts';
import { askAsFirmware, killAll, rig, unwire, wire } from './agent.rig.ts';
import { KERNEL, scratch } from './agent.stage.ts';
import { runProgram, serveProgram, untilTrue } from './program.rig.ts';

const KEY = (word: string) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${word}\n-----END OPENSSH PRIVATE KEY-----\n`;
const FILES = {
  'site.yaml': `site: refresh
networks:
  rack: { interface: srv0, subnet: 10.0.0.0/24, server: 10.0.0.2 }
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, image: small, overlays: [app] }
  node02: { mac: 52:54:00:00:00:52, ip: 10.0.0.52, image: small, overlays: [app] }
`,
  'images/small.yaml': 'from: { debian: bookworm }\n',
  'overlays/app/etc/app.conf': 'one\ntwo\nthree\n',
  'overlays/app/etc/app.key': KEY('c2VjcmV0'),
  'overlays/app/overlay.yaml': '/etc/app.key: { mode: "0600" }\nhooks: [{ run: echo ran >> /root/hooks }]\n',
};

test('an operator edits the site, looks at the difference, applies it, and finds what others changed', async (t) => {
  wire();
  t.after(() => {
    killAll();
    unwire();
  });
  const folder = join(scratch, 'cli');
  const site = join(folder, 'site');
  const state = join(folder, 'state');
  const edit = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(site, name)), { recursive: true });
      writeFileSync(join(site, name), text);
    }
  };
  edit(FILES);
  let server = await serveProgram(site, state);
  t.after(() => server.kill('SIGKILL'));
  const reveille = (...args: string[]) => runProgram(...args, '--state', state);
  const filesOf = async () => {
    const { nodes } = JSON.parse((await reveille('status', '--json')).text) as Status;
    return nodes.map(({ files }) => files?.state ?? null);
  };

  const early = await reveille('diff', 'node01');
  assert.equal(early.code, 1);
  assert.match(early.text, /node01 has not reported yet which files it has[\s\S]*\[FILES_UNKNOWN\]/);
  const machine = rig(folder, 'dash');
  askAsFirmware();
  const { code, printed } = await machine.start(KERNEL);
  assert.equal(code, 0, printed);
  assert.deepEqual(await filesOf(), ['in sync', null]);
  assert.deepEqual(await reveille('diff', 'node01'), { code: 0, text: 'Nothing would change on node01.\n' });

  edit({ 'overlays/app/etc/app.conf': 'one\n2\nthree\n', 'overlays/app/etc/app.key': KEY('bmV3') });
  await untilTrue(async () => (await filesOf())[0] === 'behind');
  const diff = await reveille('diff', 'node01');
  assert.equal(diff.code, 1);
  assert.equal(
    diff.text,
    [
      '~ /etc/app.conf  changed',
      '    @@ -1,3 +1,3 @@',
      '     one',
      '    -two',
      '    +2',
      '     three',
      '~ /etc/app.key  changed',
      '    (kept private)',
      '',
      'Then these hooks run:',
      '  echo ran >> /root/hooks',
      '',
    ].join('\n'),
  );
  assert.match((await reveille('why', 'node01')).text, /The site gives it other files by now/);

  const synced = await reveille('sync', 'node[01-02]');
  assert.equal(synced.code, 1);
  const [, first = '', second = ''] = synced.text.split('\n');
  assert.match(first, /^node01 {2}done {11}2 {8}0 {8}\d+$/);
  assert.match(second, /^node02 {2}not reachable {2}- {8}- {8}- {2,}it does not ask for orders: .*$/);
  assert.equal(machine.read('etc/app.conf'), 'one\n2\nthree\n');
  assert.equal(machine.read('root/hooks'), 'ran\nran\n');
  assert.equal((await filesOf())[0], 'in sync');

  writeFileSync(join(machine.root, 'etc/app.conf'), 'by hand\n');
  assert.equal((await reveille('sync', 'node01')).code, 0);
  assert.equal((await filesOf())[0], 'drift');
  assert.match((await reveille('status')).text, /node01 .* drift 1 /);
  const drifted = await reveille('diff', 'node01', '--json');
  assert.equal(drifted.code, 1);
  assert.deepEqual(
    (JSON.parse(drifted.text) as NodeDiff).changes.map(({ path, change }) => `${change} ${path}`),
    ['drifted /etc/app.conf'],
  );
  assert.match((await reveille('why', 'node01')).text, /1 file changed there: \/etc\/app\.conf/);

  // What nodes told outlives the server, and a node that waited for the old one finds the new one.
  server.kill('SIGTERM');
  await once(server, 'close');
  assert.match((await reveille('status', '--site', site)).text, /node01 .* drift 1 /);
  server = await serveProgram(site, state);
  const restored = await reveille('sync', 'node01', '--restore', '--wait', '--json');
  assert.equal(restored.code, 0, restored.text);
  assert.equal(JSON.parse(restored.text)[0].changed, 1);
  assert.equal(machine.read('etc/app.conf'), 'one\n2\nthree\n');
  assert.equal((await filesOf())[0], 'in sync');
  assert.equal((await reveille('sync', 'node07')).code, 1);
  assert.equal((await reveille('sync', 'node01', '--timeout', 'soon')).code, 2);
  assert.ok(readdirSync(join(state, 'bundles')).length > 0);
});
