/** The kinds of firmware that are told apart: by how they boot, not by their CPU alone. */
export const FIRMWARES = ['bios', 'efi-ia32', 'efi-x64', 'efi-arm64', 'efi-x64-http', 'efi-arm64-http'] as const;

/** The firmware that is asking, as option 93 and the user class tell it. */
export type Firmware = (typeof FIRMWARES)[number] | 'unknown';
