import { join } from 'node:path';
import type { Accelerator } from '../accelerator.ts';
import { OVMF_CODE, varsFile } from './flash.ts';
import type { LabMachine, Nic } from './rack.ts';

/** The tap of a machine's card: QEMU's end of its cable. Short, because interface names have at most 15 characters. */
export function tapName(machine: number, nic: number): string {
  return `tap${machine}n${nic}`;
}

/** The serial console of a machine, as a file. */
export function consoleFile(folder: string, machine: string): string {
  return join(folder, `${machine}.console`);
}

/**
 * QEMU's command line for the machine at `index` in its rack. It speaks QMP on its standard input and output. SeaBIOS and iPXE
 * write to the serial console too, since there is no screen.
 */
export function qemuCommand(machine: LabMachine, index: number, accelerator: Accelerator, folder: string): string[] {
  return [
    'qemu-system-x86_64',
    ...['-name', machine.name, '-nodefaults', '-no-user-config', '-display', 'none'],
    ...board(machine, folder),
    ...['-smp', '1', '-m', `${machine.memoryMb}`],
    ...(accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi,tb-size=256', '-cpu', 'qemu64,+rdrand,+rdseed']),
    ...['-uuid', machine.uuid],
    ...['-smbios', `type=1,manufacturer=Reveille,product=Lab machine,serial=${machine.serial},uuid=${machine.uuid}`],
    ...['-chardev', `file,id=console,path=${escaped(consoleFile(folder, machine.name))}`, '-serial', 'chardev:console'],
    ...['-qmp', 'stdio'],
    // Without a source of entropy, a boot may wait for it.
    ...['-device', 'virtio-rng-pci'],
    ...machine.nics.flatMap((nic, i) => [
      ...['-netdev', `tap,id=nic${i},ifname=${tapName(index, i)},script=no,downscript=no`],
      ...['-device', [nic.model, `netdev=nic${i}`, `mac=${nic.mac}`, ...bootOf(machine, nic, i)].join(',')],
    ]),
  ];
}

/** The board and its firmware. SeaBIOS is QEMU's own; OVMF lies in two flash chips. */
function board(machine: LabMachine, folder: string): string[] {
  if (machine.firmware === 'bios') return ['-machine', 'pc,graphics=off'];
  return [
    ...['-machine', 'q35'],
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${OVMF_CODE}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${escaped(varsFile(folder, machine.name))}`],
  ];
}

/**
 * What makes the first card, and no other, a boot device. QEMU gives cards iPXE as their ROM. SeaBIOS needs it; OVMF boots from a
 * virtio card by itself, as firmware of real machines does, but has no driver for an e1000.
 */
function bootOf(machine: LabMachine, nic: Nic, index: number): string[] {
  const byItself = machine.firmware === 'uefi' && nic.model === 'virtio-net-pci';
  return [...(index === 0 ? ['bootindex=0'] : []), ...(index > 0 || byItself ? ['romfile='] : [])];
}

/** QEMU splits its values at commas; two stand for one. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
