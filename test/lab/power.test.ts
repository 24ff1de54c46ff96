import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PowerResult } from '../../src/bmc/switchNodes.ts';
import type { LabStatus } from '../../src/lab/control.ts';
import { PROGRAM, runProgram, untilTrue } from '../interop/program.rig.ts';
import { writeTinySystem } from './tinySystem.ts';

const SECRET = 'so:geheim-17';
const SITE = `site: power
networks:
  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2, gateway: 10.0.0.1 }
secrets: { bmc: { file: secrets/bmc } }
profiles:
  worker: { boot: tiny, bmc: { user: admin, password: '{{ secrets.bmc }}', cipher: 3 } }
nodes:
  node01: { mac: "52:54:00:00:03:01", ip: 10.0.0.81, profiles: [worker], bmc: { address: 10.1.0.81 } }
  node02: { mac: "52:54:00:00:03:02", ip: 10.0.0.82, profiles: [worker], bmc: { address: 10.1.0.82 } }
menu:
  entries:
    tiny: { title: A tiny system, kernel: tiny/linux, initrd: tiny/initrd.gz, args: [quiet, no_timer_check, console=ttyS0] }
tftp: { root: tftp }
`;

test('a machine that is off is switched on by its BMC, boots from the network, and its BMC sees it go off', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reveille-power-'));
  const [site, state] = [join(folder, 'site'), join(folder, 'state')];
  await writeTinySystem(join(site, 'tftp/tiny'));
  await mkdir(join(site, 'secrets'));
  await writeFile(join(site, 'secrets/bmc'), SECRET);
  await writeFile(join(site, 'site.yaml'), SITE);
  const lab = (command: string, ...words: string[]) => runProgram('lab', command, '--state', state, ...words);
  /** How the BMCs say that machines are, by `reveille power` beside the server. */
  const power = async (set: string, order: string): Promise<readonly (string | null)[]> => {
    const { code, text } = await lab('exec', '--', PROGRAM, 'power', set, order, '--site', site, '--json');
    assert.equal(code, 0, text);
    return (JSON.parse(text) as PowerResult[]).map((result) => result.power);
  };
  try {
    const up = await lab('up', '--site', site, '--memory', '256', '--json');
    assert.equal(up.code, 0, up.text);
    const [one, two] = (JSON.parse(up.text) as LabStatus).machines;
    assert.deepEqual(await power('node0[1-2]', 'status'), ['off', 'off']);
    assert.deepEqual(await power('node01', 'pxe'), ['off']);
    assert.deepEqual(await power('node01', 'on'), ['on']);
    assert.deepEqual(await power('node02', 'cycle'), ['on']);
    assert.deepEqual(await power('node02', 'off'), ['off']);
    const consoleOf = (machine: typeof one) => readFile(machine?.console ?? '', 'utf8');
    await untilTrue(async () => (await consoleOf(one)).includes('tiny is up'), 180);
    await untilTrue(async () => (await power('node01', 'status'))[0] === 'off', 60);
    assert.ok(!(await consoleOf(two)).includes('tiny is up'), 'its plug was pulled before');
  } finally {
    await lab('down');
    await rm(folder, { recursive: true, force: true });
  }
});
