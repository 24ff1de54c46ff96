import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { PowerResult } from '../../src/bmc/switchNodes.ts';
import { type FakeSystem, fakeRedfish } from '../../src/bmc/testing/redfishFixture.ts';
import { bmcsOf, startBmcs } from '../../src/lab/bmcs.ts';
import { listenAt } from '../../src/lab/control.ts';
import type { OpenRack } from '../../src/lab/open.ts';
import { rackOfSite } from '../../src/lab/siteRack.ts';
import { SiteSecrets } from '../../src/node/siteSecrets.ts';
import { loadSite } from '../../src/site/load.ts';
import { BMC, realBmc } from './bmc.rig.ts';
import { PROGRAM } from './program.rig.ts';

const SECRET = 'so:geheim-17';

function rackFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bmc-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Writes a site whose nodes have these BMCs, in YAML's flow form. */
function writeSite(folder: string, bmcs: { readonly [node: string]: string }): void {
  const nodes = Object.entries(bmcs).map(([name, bmc], i) => `  ${name}: { mac: 52:54:00:00:00:0${i}, ${bmc} }`);
  const site = `site: rack
networks:
  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2, pools: [{ range: 10.0.0.50-10.0.0.90 }] }
secrets:
  bmc: { env: BMC_PASSWORD }
  wrong: { file: wrong }
profiles:
  rack: { bmc: { user: admin, password: '{{ secrets.bmc }}' } }
nodes:
${nodes.join('\n')}
`;
  writeFileSync(join(folder, 'site.yaml'), site);
  writeFileSync(join(folder, 'wrong'), 'falsch\n');
}

async function power(folder: string, set: string, order: string, ...more: string[]) {
  const env = { ...process.env, NO_COLOR: '1', BMC_PASSWORD: SECRET };
  const args = ['power', set, order, '--site', folder, ...more];
  const { stdout, stderr, code } = await promisify(execFile)(PROGRAM, args, { env }).then(
    (ended) => ({ ...ended, code: 0 }),
    (error: { stdout: string; stderr: string; code: number }) => error,
  );
  assert.ok(!`${stdout}${stderr}`.includes(SECRET));
  return { code, text: `${stdout}${stderr}`, results: () => JSON.parse(stdout) as PowerResult[] };
}

test('machines are switched by a real BMC over IPMI 2.0 and 1.5; each failure by its name', async (t) => {
  const folder = rackFolder(t);
  const bmc = await realBmc(folder, SECRET);
  t.after(() => bmc.stop());
  writeSite(folder, {
    node01: `profiles: [rack], bmc: { ${BMC} }`,
    node02: `profiles: [rack], bmc: { ${BMC}, interface: lan }`,
    node03: `profiles: [rack], bmc: { ${BMC}, password: '{{ secrets.wrong }}' }`,
    node04: `profiles: [rack], bmc: { ${BMC}, user: nobody }`,
    node05: `profiles: [rack], bmc: { address: 127.0.0.1, port: 6231, cipher: 3 }`,
    node06: 'ip: 10.0.0.6',
    node07: `profiles: [rack], bmc: { address: 127.0.0.1, port: 6230, cipher: 17 }`,
  });

  const off = await power(folder, 'node01,node02', 'status');
  assert.equal(off.code, 0, off.text);
  assert.match(off.text, /^node01 +ipmi 127\.0\.0\.1 +off +done$/m);
  assert.match(off.text, /^node02 +ipmi 127\.0\.0\.1 +off +done$/m);
  const dry = await power(folder, 'node01', 'on', '--dry-run');
  assert.match(dry.text, /^node01 +ipmi 127\.0\.0\.1 +- +would be done$/m);
  assert.ok(bmc.told().length === 0, 'nothing was done');

  const [on] = (await power(folder, 'node01', 'on', '--json')).results();
  assert.deepEqual(on, {
    node: 'node01',
    bmc: 'ipmi 127.0.0.1',
    power: 'on',
    result: 'done',
    detail: null,
    code: null,
  });
  assert.equal((await power(folder, 'node02', 'cycle')).code, 0);
  assert.equal((await power(folder, 'node01', 'pxe')).code, 0);
  assert.equal((await power(folder, 'node01', 'off')).code, 0);
  assert.deepEqual(bmc.told(), ['set power 1', 'set power 0', 'set power 1', 'set boot pxe', 'set power 0']);
  assert.ok(bmc.seen().includes('ipmitool'), 'ipmitool ran meanwhile');
  assert.ok(!bmc.seen().includes(SECRET), 'and no command line has the password');

  const failed = await power(folder, 'node0[1-7]', 'status', '--json');
  assert.equal(failed.code, 1);
  assert.deepEqual(
    failed.results().map(({ node, code, power: is }) => `${node} ${code ?? is}`),
    [
      'node01 off',
      'node02 off',
      'node03 BMC_LOGIN_REFUSED',
      'node04 BMC_LOGIN_REFUSED',
      'node05 BMC_UNREACHABLE',
      'node06 BMC_MISSING',
      'node07 BMC_UNSUPPORTED',
    ],
    failed.text,
  );
  await bmc.stop();
  assert.match((await power(folder, 'node01', 'off')).text, /node01 .* failed +the BMC 127\.0\.0\.1 does not answer/);
});

test('over Redfish our requests are those of DMTF`s own client', async (t) => {
  const folder = rackFolder(t);
  const system: FakeSystem = { id: '437XR1138R2', power: 'Off' };
  const fake = await fakeRedfish(folder, [system], `admin:${SECRET}`);
  t.after(() => fake.close());
  const at = `kind: redfish, address: 127.0.0.1, port: ${fake.port}`;
  writeSite(folder, {
    node01: `profiles: [rack], bmc: { ${at}, ca: bmc.pem }`,
    node02: `profiles: [rack], bmc: { ${at} }`,
  });

  const ours = async (order: string) => {
    const { code, text } = await power(folder, 'node01', order);
    assert.equal(code, 0, text);
    return fake.changes.splice(0);
  };
  const theirs = async (...words: string[]) => {
    const access = ['-r', `127.0.0.1:${fake.port}`, '-S', 'Always', '-A', 'Basic', '-u', 'admin', '-p', SECRET];
    await promisify(execFile)('redfishtool', [...access, 'Systems', '-F', ...words]);
    return fake.changes.splice(0);
  };
  assert.deepEqual(await ours('on'), await theirs('reset', 'On'));
  assert.deepEqual(await ours('cycle'), await theirs('reset', 'PowerCycle'));
  assert.deepEqual(await ours('off'), await theirs('reset', 'ForceOff'));
  const [pxe = ''] = await ours('pxe');
  assert.deepEqual(bodyOf(pxe), bodyOf((await theirs('setBootOverride', 'Once', 'Pxe'))[0] ?? ''));

  const strangers = await power(folder, 'node02', 'status');
  assert.match(strangers.text, /node02 .* failed +.*self-signed certificate.*bmc\.verify: false/);
});

function bodyOf(call: string): unknown {
  return JSON.parse(call.slice(call.indexOf('{')));
}

test('in a virtual rack each machine has its own BMC, which asks the rack', async (t) => {
  const folder = rackFolder(t);
  writeSite(folder, {
    node01: `profiles: [rack], boot: local, bmc: { address: 10.1.0.1, cipher: 3 }`,
    node02: `profiles: [rack], boot: local, bmc: { address: 10.1.0.2, cipher: 3 }`,
    node03: `profiles: [rack], boot: local, bmc: { address: bmc3.example.org }`,
    node04: 'boot: local',
  });
  const loaded = await loadSite(folder);
  assert.ok(loaded.ok);
  const rack = rackOfSite(loaded.site);
  const socket = join(folder, "it's lab.sock");
  const on = new Map(rack.machines.map(({ name }) => [name, false]));
  const asked: string[] = [];
  const control = await listenAt(socket, async (request) => {
    if ('names' in request) {
      asked.push(`${request.op} ${request.names.join(' ')}`);
      for (const name of request.names) on.set(name, request.op !== 'off');
    }
    const machines = [...on].map(([name, is]) => ({ name, on: is, macs: [], console: '' }));
    return { site: folder, state: folder, pid: 1, machines };
  });
  t.after(() => control.close());
  const started: ChildProcess[] = [];
  const inside: Pick<OpenRack, 'exec' | 'spawn'> = {
    spawn: ([program = '', ...args], options = {}) => {
      const child = spawn(program, args, options);
      started.push(child);
      return child;
    },
    exec: async ([program = '', ...args]) => ({ code: 0, ...(await promisify(execFile)(program, args)) }),
  };
  t.after(() => started.map((child) => child.kill()));

  const secrets = new SiteSecrets(() => loaded.site, { BMC_PASSWORD: SECRET });
  const bmcs = await bmcsOf(rack, loaded.site, secrets);
  assert.deepEqual(
    bmcs.map(({ name }) => name),
    ['node01', 'node02'],
  );
  await startBmcs(inside, bmcs, { folder, socket });
  const powers = async (set: string, order: string) =>
    (await power(folder, set, order, '--json')).results().map((result) => result.power);
  assert.deepEqual(await powers('node0[1-2]', 'status'), ['off', 'off']);
  assert.deepEqual(await powers('node02', 'on'), ['on']);
  assert.deepEqual(await powers('node0[1-2]', 'pxe'), ['off', 'on']);
  assert.deepEqual(await powers('node02', 'off'), ['off']);
  assert.deepEqual(asked, ['boot node02', 'off node02']);
  assert.equal(statSync(join(folder, 'bmc-node01/lan.conf')).mode & 0o777, 0o600);
});
