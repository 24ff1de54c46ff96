import type { Firmware } from '../model/firmware.ts';
import type { LoaderChoice } from '../model/node.ts';

/** A loader that a firmware can start: the name it is asked for by TFTP, and where Debian's package keeps the file. */
export type Loader = { readonly file: string; readonly path: string; readonly debianPackage: string };

const PXELINUX: Loader = { file: 'pxelinux.0', path: '/usr/lib/PXELINUX/pxelinux.0', debianPackage: 'pxelinux' };
const IPXE_BIOS: Loader = { file: 'undionly.kpxe', path: '/usr/lib/ipxe/undionly.kpxe', debianPackage: 'ipxe' };
const IPXE_EFI_X64: Loader = { file: 'snponly.efi', path: '/usr/lib/ipxe/snponly.efi', debianPackage: 'ipxe' };

type Table = { readonly [F in Firmware]?: { readonly [L in LoaderChoice]?: Loader } };

/** Which loader each firmware is given for each choice that a site can make. A missing cell is a choice that cannot be met. */
export const LOADERS: Table = {
  bios: { auto: IPXE_BIOS, ipxe: IPXE_BIOS, pxelinux: PXELINUX },
  'efi-x64': { auto: IPXE_EFI_X64, ipxe: IPXE_EFI_X64 },
};

/** Where Debian keeps the modules that pxelinux asks for by bare name (`ldlinux.c32`, `menu.c32`). */
export const PXELINUX_MODULES = '/usr/lib/syslinux/modules/bios';

/** The loader that is fetched under `file`, if it is one of ours. */
export function loaderByFile(file: string): Loader | undefined {
  return Object.values(LOADERS)
    .flatMap((row) => Object.values(row))
    .find((loader) => loader.file === file);
}
