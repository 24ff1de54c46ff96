import type { Event } from '../model/event.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { eventJson } from '../words/event.ts';
import { logLine, severityOf } from './line.ts';

/** A field is cut at this many bytes, so that an entry always fits into one datagram. */
const LONGEST_FIELD = 4096;

/** An event as one entry in journald's native protocol: its line, and its fields as `REVEILLE_NODE` and so on. */
export function journalEntry(event: Event): Uint8Array {
  const more = eventJson(event) as { readonly [name: string]: unknown };
  return encodeFields([
    ['MESSAGE', logLine(event)],
    ['PRIORITY', severityOf(event)],
    ['SYSLOG_IDENTIFIER', 'reveille'],
    ['REVEILLE_EVENT', event.kind],
    ['REVEILLE_NODE', event.node],
    ['REVEILLE_MAC', event.mac],
    ['REVEILLE_IP', event.ip === undefined ? undefined : formatIpv4(event.ip)],
    ['REVEILLE_NETWORK', more.network],
    ['REVEILLE_VIA', more.via],
    ['REVEILLE_STAGE', more.stage],
    ['REVEILLE_FILE', more.file],
    ['REVEILLE_BYTES', more.bytes],
    ['REVEILLE_STEP', more.step],
    ['REVEILLE_STATUS', more.status],
    ['REVEILLE_REASON', more.reason],
    ['REVEILLE_OUTPUT', more.output],
  ]);
}

/**
 * Fields as systemd.journal-fields(7) has them: `NAME=value` on a line, and a value that has line breaks behind its name
 * and its length (64 bits, little-endian). Fields without a value are left out.
 */
export function encodeFields(fields: readonly (readonly [name: string, value: unknown])[]): Uint8Array {
  const parts = fields.flatMap(([name, value]) => {
    if (value === undefined) return [];
    const bytes = Buffer.from(String(value)).subarray(0, LONGEST_FIELD);
    if (!bytes.includes(0x0a)) return [Buffer.from(`${name}=`), bytes, LINE_BREAK];
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.length));
    return [Buffer.from(`${name}\n`), length, bytes, LINE_BREAK];
  });
  return Buffer.concat(parts);
}

const LINE_BREAK = Buffer.from('\n');
