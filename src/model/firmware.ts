/**
 * The kinds of firmware that are distinguished: by how they boot, not by their CPU alone. `types`: their numbers in option 93
 * (RFC 4578 and the registry since). `vendorClass`: how option 60 begins, in what they send and in what they listen to. `mode`: what a
 * BMC calls the way in which they boot.
 */
const KINDS = {
  bios: { types: [0], vendorClass: 'PXEClient', mode: 'bios' },
  'efi-ia32': { types: [6], vendorClass: 'PXEClient', mode: 'uefi' },
  'efi-x64': { types: [7, 9], vendorClass: 'PXEClient', mode: 'uefi' },
  'efi-arm64': { types: [11], vendorClass: 'PXEClient', mode: 'uefi' },
  'efi-x64-http': { types: [16], vendorClass: 'HTTPClient', mode: 'uefi' },
  'efi-arm64-http': { types: [19], vendorClass: 'HTTPClient', mode: 'uefi' },
} as const satisfies { readonly [name: string]: Kind };

type Kind = {
  readonly types: readonly number[];
  readonly vendorClass: VendorClass;
  readonly mode: FirmwareMode;
};

export type VendorClass = 'PXEClient' | 'HTTPClient';
export type FirmwareMode = 'bios' | 'uefi';

/** A kind of firmware that is known. */
export type FirmwareKind = keyof typeof KINDS;

/** The firmware that is asking, by option 93 and the user class. */
export type Firmware = FirmwareKind | 'unknown';

export const FIRMWARES = Object.keys(KINDS) as readonly FirmwareKind[] as readonly [FirmwareKind, ...FirmwareKind[]];

/** The kinds by the numbers of option 93. */
export const FIRMWARE_BY_TYPE: { readonly [type: number]: FirmwareKind } = Object.fromEntries(
  FIRMWARES.flatMap((kind) => KINDS[kind].types.map((type) => [type, kind])),
);

/** How option 60 of firmware of this type of processor begins; a type that is not known is taken for one of PXE. */
export function vendorClassOf(type: number): VendorClass {
  const kind = FIRMWARE_BY_TYPE[type];
  return kind === undefined ? 'PXEClient' : KINDS[kind].vendorClass;
}

/** The kinds of firmware that boot in this mode of a BMC. */
export function firmwareIn(mode: FirmwareMode): readonly FirmwareKind[] {
  return FIRMWARES.filter((kind) => KINDS[kind].mode === mode);
}
