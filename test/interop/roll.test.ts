import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { openShelf } from '../../src/image/shelf.ts';
import type { Roll } from '../../src/roll/record.ts';
import type { RollJson } from '../../src/words/roll.ts';
import { askAsFirmware, killAll, type Rig, rig, unwire, wire } from './agent.rig.ts';
import { fakeSystemd, KERNEL, scratch } from './agent.stage.ts';
import { BMC, realBmc } from './bmc.rig.ts';
import { runProgram, serveProgram, untilTrue } from './program.rig.ts';

const SECRET = 'so:geheim-17';
const FILES = {
  'site.yaml': `site: roll
networks:
  rack: { interface: srv0, subnet: 10.0.0.0/24, server: 10.0.0.2 }
secrets: { bmc: { file: secrets/bmc } }
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, image: small }
`,
  'images/small.yaml': 'from: { debian: bookworm }\n',
  'secrets/bmc': `${SECRET}\n`,
};

test('a node of no cloud is rolled onto a new image by its agent, skipped when run again, and rolled back', async (t) => {
  wire();
  t.after(() => {
    killAll();
    unwire();
  });
  const folder = join(scratch, 'roll');
  const [site, state] = [join(folder, 'site'), join(folder, 'state')];
  writeSite(site);
  const shelf = openShelf(join(state, 'images'));
  const old = await build(shelf, 'old');
  const reveille = (...args: string[]) => runProgram(...args, '--state', state);
  let server = await serveProgram(site, state);
  t.after(() => server.kill('SIGKILL'));
  const machine = rig(folder, 'busybox');
  fakeSystemd(machine);
  assert.equal(await boot(machine), old);

  const wanted = await build(shelf, 'new');
  const dry = await reveille('roll', 'node01', '--dry-run');
  assert.match(dry.text, /node01\s+[0-9a-f]{12}\s+is rebooted\n/);
  const rolling = reveille('roll', '--drifted', '--json');
  await untilTrue(async () => rebootsOf(machine) === 1);
  // The server is killed while the node is down.
  killAll();
  server.kill('SIGKILL');
  server = await serveProgram(site, state);
  assert.equal(await boot(machine), wanted);
  const { code, text } = await rolling;
  const roll = JSON.parse(text) as RollJson<Roll>;
  assert.deepEqual([code, roll.state, roll.nodes.map(({ phase }) => phase)], [0, 'done', ['done']], text);

  const again = await reveille('roll', 'node01');
  assert.equal(again.code, 0, again.text);
  assert.match(again.text, /node01 +skipped: runs the image already\n.*roll +done\n/);
  assert.match((await reveille('roll', '--drifted')).text, /no node has drifted/);

  const back = reveille('roll', 'rollback', roll.id);
  await untilTrue(async () => rebootsOf(machine) === 1);
  killAll();
  assert.equal(await boot(machine), old);
  assert.equal((await back).code, 0, (await back).text);
  const status = await reveille('roll', 'status');
  assert.match(status.text, new RegExp(`1 of 1 done, 0 failed[\\s\\S]*pinned to ${old.slice(0, 12)}: node01`));
});

test('a node whose agent is silent is power cycled by its BMC, from the network', async (t) => {
  wire();
  const folder = join(scratch, 'silent');
  const [site, state] = [join(folder, 'site'), join(folder, 'state')];
  writeSite(site, `, bmc: { ${BMC}, user: admin, password: '{{ secrets.bmc }}' }`);
  const bmc = await realBmc(folder, SECRET);
  t.after(async () => {
    killAll();
    unwire();
    await bmc.stop();
  });
  const shelf = openShelf(join(state, 'images'));
  await build(shelf, 'old');
  const server = await serveProgram(site, state);
  t.after(() => server.kill('SIGKILL'));
  const machine = rig(folder, 'busybox');
  fakeSystemd(machine);
  await boot(machine);
  killAll();

  const wanted = await build(shelf, 'new');
  const rolling = runProgram('roll', 'node01', '--json', '--state', state);
  // An agent is given 90 seconds. The simulator's machine was off, so that a cycle switches it on.
  await untilTrue(async () => bmc.told().includes('set power 1'), 180);
  assert.equal(await boot(machine), wanted);
  const { code, text } = await rolling;
  const [node] = (JSON.parse(text) as RollJson<Roll>).nodes;
  assert.deepEqual(
    [code, node?.note, node?.words, bmc.told()],
    [0, { code: 'renewed', cycled: true }, 'renewed, power cycled by its BMC', ['set boot pxe', 'set power 1']],
  );
  assert.ok(!text.includes(SECRET));
});

/** Writes the site; `ofNode` is more of its node, in YAML's flow form. */
function writeSite(site: string, ofNode = ''): void {
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(site, name)), { recursive: true });
    writeFileSync(join(site, name), text.replace('image: small', `image: small${ofNode}`));
  }
}

/** Boots the machine as its firmware, iPXE and image do, as far as the server sees it; gives the image that it was told. */
async function boot(machine: Rig): Promise<string> {
  for (const gone of ['run/reveille', 'var/lib/reveille', 'root/systemctl']) {
    rmSync(join(machine.root, gone), { recursive: true, force: true });
  }
  const inside = (...command: string[]) =>
    execFileSync('ip', ['netns', 'exec', 'node', ...command], { encoding: 'utf8' });
  askAsFirmware();
  const base = 'http://10.0.0.2:8080/boot';
  const ipxe = inside('curl', '-sf', '--noproxy', '*', `${base}/ipxe/52:54:00:00:00:51`);
  const image = /images\/([0-9a-f]{64})\/vmlinuz/.exec(ipxe)?.[1] ?? '';
  inside('curl', '-sf', '--noproxy', '*', '-o', '/dev/null', `${base}/images/${image}/vmlinuz`);
  const { code, printed } = await machine.start(KERNEL);
  assert.equal(code, 0, printed);
  void machine.start(KERNEL, 'reveille-refresh');
  return image;
}

function rebootsOf(machine: Rig): number {
  const told = existsSync(join(machine.root, 'root/systemctl')) ? machine.read('root/systemctl') : '';
  return told.split('\n').filter((line) => line === 'reboot').length;
}

async function build(shelf: ReturnType<typeof openShelf>, initrd: string): Promise<string> {
  const folder = await shelf.draft('small');
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return { size: text.length, sha256: createHash('sha256').update(text).digest('hex') };
  };
  const image = await shelf.put(folder, {
    name: 'small',
    kernel: file('vmlinuz', 'kernel'),
    initrd: file('initrd', initrd),
    builtAt: new Date().toISOString(),
    kernelVersion: '6.1',
    packages: [],
  });
  return image.sha256;
}
