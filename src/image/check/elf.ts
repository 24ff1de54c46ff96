/** What the dynamic linker is asked for by one program or library (elf(5), ld.so(8)). */
export type Linked = {
  /** Number of the processor architecture (e_machine). */
  readonly machine: number;
  /** Names as they stand: `libc.so.6`, seldom a path. */
  readonly needed: readonly string[];
  /** Folders in which to look first; `$ORIGIN` is the file's own. */
  readonly runpath: readonly string[];
  /** The dynamic linker itself: `/lib64/ld-linux-x86-64.so.2`; absent for libraries. */
  readonly interpreter?: string;
};

export const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');

const [PT_LOAD, PT_DYNAMIC, PT_INTERP] = [1, 2, 3];
const [DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_RPATH, DT_RUNPATH] = [0, 1, 5, 10, 15, 29];
const [ET_EXEC, ET_DYN] = [2, 3];
const MOST_HEADERS = 1000;
const MOST_NAMES = 1000;
const LONGEST_NAME = 4096;

type Segment = { readonly type: number; readonly offset: number; readonly address: number; readonly size: number };

/** Whether these first bytes (20 suffice) are of a program or library, which object files and kernel modules are not. */
export function isLinkable(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.length);
  if (bytes.length < 20 || !bytes.subarray(0, 4).equals(ELF_MAGIC)) return false;
  const type = bytes[5] === 2 ? bytes.readUInt16BE(16) : bytes.readUInt16LE(16);
  return type === ET_EXEC || type === ET_DYN;
}

/**
 * Reads what a whole ELF file (32 or 64 bits, either byte order) is linked to. `undefined` where it is none, or breaks off, or is
 * linked to nothing. No number in it is trusted.
 */
export function linkedOf(file: Buffer): Linked | undefined {
  if (!isLinkable(file)) return undefined;
  try {
    return read(file);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function read(file: Buffer): Linked | undefined {
  const wide = file[4] === 2;
  const big = file[5] === 2;
  const half = (at: number) => (big ? file.readUInt16BE(at) : file.readUInt16LE(at));
  const word = (at: number) => (big ? file.readUInt32BE(at) : file.readUInt32LE(at));
  const long = (at: number) => (wide ? Number(big ? file.readBigUInt64BE(at) : file.readBigUInt64LE(at)) : word(at));

  const headers = long(wide ? 32 : 28);
  const headerBytes = half(wide ? 54 : 42);
  const segments: Segment[] = [];
  for (let i = 0; i < Math.min(half(wide ? 56 : 44), MOST_HEADERS); i++) {
    const at = headers + i * headerBytes;
    segments.push({
      type: word(at),
      offset: long(at + (wide ? 8 : 4)),
      address: long(at + (wide ? 16 : 8)),
      size: long(at + (wide ? 32 : 16)),
    });
  }
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (!dynamic) return undefined;

  const tags: (readonly [tag: number, value: number])[] = [];
  const step = wide ? 16 : 8;
  for (let at = dynamic.offset; at + step <= dynamic.offset + dynamic.size && tags.length < MOST_NAMES; at += step) {
    const tag = long(at);
    if (tag === DT_NULL) break;
    tags.push([tag, long(at + step / 2)]);
  }
  const tagged = (wanted: number) => tags.find(([tag]) => tag === wanted)?.[1];
  const address = tagged(DT_STRTAB);
  const loaded = segments.find(
    (one) =>
      one.type === PT_LOAD && address !== undefined && address >= one.address && address < one.address + one.size,
  );
  if (address === undefined || !loaded) return undefined;
  const start = address - loaded.address + loaded.offset;
  const strings = file.subarray(start, start + (tagged(DT_STRSZ) ?? 0));
  const named = (wanted: number) =>
    tags.flatMap(([tag, at]) => (tag === wanted && at < strings.length ? [textAt(strings, at)] : []));
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  return {
    machine: half(18),
    needed: named(DT_NEEDED),
    runpath: [...named(DT_RPATH), ...named(DT_RUNPATH)].flatMap((text) => text.split(':')).filter((one) => one !== ''),
    ...(interpreter ? { interpreter: textAt(file, interpreter.offset) } : {}),
  };
}

function textAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('utf8', at, Math.min(end < 0 ? bytes.length : end, at + LONGEST_NAME));
}
