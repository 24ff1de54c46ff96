/**
 * What a file is by its first bytes: a Linux kernel (or what starts as one: memdisk, iPXE's lkrn), an EFI program, a module of
 * syslinux, another ELF file, or nothing that is known.
 */
export type FileKind = 'linux' | 'efi' | 'module' | 'elf' | 'unknown';

/** As many bytes as it takes to tell. */
export const HEAD_BYTES = 4096;

/** The x86 boot protocol of Linux: `HdrS` here. */
const SETUP_MAGIC = 0x202;
/** Where the headers of arm64 and RISC-V kernels have their magic. */
const IMAGE_MAGIC = 0x38;
const PE_OFFSET = 0x3c;

/** Tells by the beginning of a file (`HEAD_BYTES`, or all of a shorter one) what it is. */
export function fileKind(head: Buffer): FileKind {
  const has = (offset: number, magic: string): boolean =>
    head.toString('latin1', offset, offset + magic.length) === magic;
  // Kernels that EFI firmware can start are EFI programs too, so they are looked for first.
  if (has(SETUP_MAGIC, 'HdrS') || has(IMAGE_MAGIC, 'ARM\x64') || has(IMAGE_MAGIC, 'RSC\x05')) return 'linux';
  if (has(0, 'MZ')) {
    if (has(4, 'zimg')) return 'linux';
    const pe = head.length >= PE_OFFSET + 4 ? head.readUInt32LE(PE_OFFSET) : 0;
    return pe > 0 && has(pe, 'PE\0\0') ? 'efi' : 'unknown';
  }
  // mov eax, 0x21cd4cff: COM32 before syslinux 5.
  if (has(0, '\xb8\xffL\xcd!')) return 'module';
  return has(0, '\x7fELF') ? 'elf' : 'unknown';
}

/** Whether so little of the file is there that nothing can be known. */
export function isTooShort(head: Buffer): boolean {
  return head.length < SETUP_MAGIC + 4;
}
