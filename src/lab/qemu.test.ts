import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mac } from '../site/testing/fixture.ts';
import { qemuCommand } from './qemu.ts';
import type { LabFirmware, LabMachine, NicModel } from './rack.ts';
import { uuidOf } from './siteRack.ts';

function machine(firmware: LabFirmware, model: NicModel): LabMachine {
  const [first, second] = [mac('52:54:00:00:00:51'), mac('52:54:00:00:00:61')];
  const nic = (address: typeof first) => ({ mac: address, model, bridge: 'br0' });
  return { name: 'one', nics: [nic(first), nic(second)], memoryMb: 512, firmware, uuid: uuidOf(first), serial: 'LAB' };
}

/** The values of every `-flag` in the command. */
function values(flag: string, ofMachine: LabMachine, folder = '/rack'): readonly string[] {
  const command = qemuCommand(ofMachine, 3, 'tcg', folder);
  return command.filter((_, i) => command[i - 1] === flag);
}

const cards = (ofMachine: LabMachine) => values('-device', ofMachine).filter((device) => device.includes('netdev='));

test('a BIOS machine boots from the iPXE ROM of its first card, and has no flash', () => {
  const bios = machine('bios', 'virtio-net-pci');
  assert.deepEqual(values('-machine', bios), ['pc,graphics=off']);
  assert.deepEqual(values('-drive', bios), []);
  assert.deepEqual(cards(bios), [
    'virtio-net-pci,netdev=nic0,mac=52:54:00:00:00:51,bootindex=0',
    'virtio-net-pci,netdev=nic1,mac=52:54:00:00:00:61,romfile=',
  ]);
  assert.match(values('-netdev', bios)[1] ?? '', /ifname=tap3n1,/);
});

test('a UEFI machine has OVMF in flash, settings of its own, and boots by OVMF`s own PXE', () => {
  const uefi = machine('uefi', 'virtio-net-pci');
  assert.deepEqual(values('-machine', uefi), ['q35']);
  assert.deepEqual(values('-drive', uefi, '/a,b'), [
    'if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd',
    'if=pflash,unit=1,format=raw,file=/a,,b/one.vars',
  ]);
  assert.deepEqual(cards(uefi), [
    'virtio-net-pci,netdev=nic0,mac=52:54:00:00:00:51,bootindex=0,romfile=',
    'virtio-net-pci,netdev=nic1,mac=52:54:00:00:00:61,romfile=',
  ]);
});

test('a UEFI machine keeps the ROM of an e1000, for which OVMF has no driver', () => {
  assert.deepEqual(cards(machine('uefi', 'e1000')), [
    'e1000,netdev=nic0,mac=52:54:00:00:00:51,bootindex=0',
    'e1000,netdev=nic1,mac=52:54:00:00:00:61,romfile=',
  ]);
});
