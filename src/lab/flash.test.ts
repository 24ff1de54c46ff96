import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mac } from '../site/testing/fixture.ts';
import { fillFlash, varsFile } from './flash.ts';
import type { LabFirmware, LabMachine, Rack } from './rack.ts';
import { uuidOf } from './siteRack.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reveille-flash-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function rackOf(machines: { readonly [name: string]: LabFirmware }): Rack {
  const address = mac('52:54:00:00:00:51');
  const nics = [{ mac: address, model: 'virtio-net-pci', bridge: 'br0' }] as const;
  const made = Object.entries(machines).map(
    ([name, firmware]): LabMachine => ({ name, nics, memoryMb: 512, firmware, uuid: uuidOf(address), serial: name }),
  );
  return { bridges: [], machines: made };
}

test('every UEFI machine gets fresh settings of its own, and a BIOS machine none', async () => {
  const factory = { code: join(folder, 'code'), vars: join(folder, 'factory') };
  await writeFile(factory.code, 'program');
  await writeFile(factory.vars, 'as from the factory');
  await writeFile(varsFile(folder, 'one'), 'of an earlier rack');
  await fillFlash(rackOf({ one: 'uefi', two: 'uefi', old: 'bios' }), folder, factory);
  assert.deepEqual((await readdir(folder)).sort(), ['code', 'factory', 'one.vars', 'two.vars']);
  assert.equal(await readFile(varsFile(folder, 'one'), 'utf8'), 'as from the factory');
});

test('where UEFI firmware is not installed, the package is named, and a BIOS rack does without', async () => {
  const absent = { code: join(folder, 'absent'), vars: join(folder, 'absent') };
  await assert.rejects(fillFlash(rackOf({ old: 'bios', one: 'uefi' }), folder, absent), {
    code: 'TOOL_MISSING',
    message: /^one is a UEFI machine.*absent/,
    hint: 'Install it: apt-get install ovmf',
  });
  await fillFlash(rackOf({ old: 'bios' }), folder, absent);
});
