import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';

export type NicModel = 'virtio-net-pci' | 'e1000';

/** `bios`: SeaBIOS. `uefi`: OVMF, without Secure Boot. */
export type LabFirmware = 'bios' | 'uefi';

/** A network card of a machine and the bridge that its cable goes to. */
export type Nic = { readonly mac: Mac; readonly model: NicModel; readonly bridge: string };

/** A bridge with the server's addresses on it. */
export type Bridge = {
  readonly name: string;
  readonly addresses: readonly { readonly ip: Ipv4; readonly prefix: number }[];
};

/** A machine without a disk. Its firmware boots from the first card and from no other. */
export type LabMachine = {
  readonly name: string;
  readonly nics: readonly [Nic, ...Nic[]];
  readonly memoryMb: number;
  readonly firmware: LabFirmware;
  readonly uuid: string;
  readonly serial: string;
};

/** A whole virtual rack. Names of bridges are interface names; names of machines are unique and valid file names. */
export type Rack = { readonly bridges: readonly Bridge[]; readonly machines: readonly LabMachine[] };
