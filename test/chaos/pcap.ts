/** Files of pcap(5), in this machine's byte order, with microseconds and Ethernet frames. */

export const FILE_HEADER = 24;
export const RECORD_HEADER = 16;
const MAGIC = 0xa1b2c3d4;
const LONGEST = 65_535;
const ETHERNET = 1;

export function fileHeader(): Buffer {
  const header = Buffer.alloc(FILE_HEADER);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(LONGEST, 16);
  header.writeUInt32LE(ETHERNET, 20);
  return header;
}

/** `at`: milliseconds since the epoch. */
export function recordHeader(at: number, length: number): Buffer {
  const header = Buffer.alloc(RECORD_HEADER);
  header.writeUInt32LE(Math.floor(at / 1000), 0);
  header.writeUInt32LE((at % 1000) * 1000, 4);
  header.writeUInt32LE(length, 8);
  header.writeUInt32LE(length, 12);
  return header;
}

/** The records that are whole: when (ms since the epoch) and what; and how many bytes they take. `bytes` begin with a record. */
export function readRecords(bytes: Buffer): {
  readonly records: { at: number; frame: Buffer }[];
  readonly used: number;
} {
  const records: { at: number; frame: Buffer }[] = [];
  let used = 0;
  while (used + RECORD_HEADER <= bytes.length) {
    const end = used + RECORD_HEADER + bytes.readUInt32LE(used + 8);
    if (end > bytes.length) break;
    const at = bytes.readUInt32LE(used) * 1000 + bytes.readUInt32LE(used + 4) / 1000;
    records.push({ at, frame: Buffer.from(bytes.subarray(used + RECORD_HEADER, end)) });
    used = end;
  }
  return { records, used };
}
