import { access, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ReveilleError } from '../errors.ts';
import type { Rack } from './rack.ts';

/** UEFI firmware from Debian's package ovmf: the program, and its factory settings. */
export const OVMF_CODE = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const OVMF_VARS = '/usr/share/OVMF/OVMF_VARS_4M.fd';

/** The settings of a UEFI machine, which its firmware writes to. */
export function varsFile(folder: string, machine: string): string {
  return join(folder, `${machine}.vars`);
}

/** Gives every UEFI machine of a rack factory settings. Throws TOOL_MISSING if the firmware is not installed. */
export async function fillFlash(
  rack: Rack,
  folder: string,
  firmware: { readonly code: string; readonly vars: string } = { code: OVMF_CODE, vars: OVMF_VARS },
): Promise<void> {
  for (const machine of rack.machines.filter((one) => one.firmware === 'uefi')) {
    try {
      await access(firmware.code);
      await copyFile(firmware.vars, varsFile(folder, machine.name));
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code !== 'ENOENT') throw cause;
      throw new ReveilleError(
        'TOOL_MISSING',
        `${machine.name} is a UEFI machine, and its firmware is missing: ${message}`,
        {
          hint: 'Install it: apt-get install ovmf',
          cause,
        },
      );
    }
  }
}
