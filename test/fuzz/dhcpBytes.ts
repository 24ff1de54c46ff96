import type { Ipv4 } from '../../src/model/ipv4.ts';
import { type Mac, macFromBytes } from '../../src/model/mac.ts';

/** DHCP packets (RFC 2131 section 2) read and written apart from the server's own codec. */

export const OPTIONS_AT = 240;

export type ReadDhcp = {
  readonly xid: number;
  readonly ciaddr: Ipv4;
  readonly yiaddr: Ipv4;
  readonly giaddr: Ipv4;
  readonly chaddr: Mac;
  readonly file: string;
  /** 0 where option 53 is missing. */
  readonly type: number;
  readonly options: ReadonlyMap<number, Buffer>;
};

/** `undefined` for what is too short for a packet with options. */
export function readDhcp(payload: Buffer): ReadDhcp | undefined {
  if (payload.length < OPTIONS_AT) return undefined;
  const options = new Map(optionsOf(payload));
  return {
    xid: payload.readUInt32BE(4),
    ciaddr: payload.readUInt32BE(12) as Ipv4,
    yiaddr: payload.readUInt32BE(16) as Ipv4,
    giaddr: payload.readUInt32BE(24) as Ipv4,
    chaddr: macFromBytes(payload, 28),
    file: payload.toString('latin1', 108, 236).split('\0', 1)[0] ?? '',
    type: options.get(53)?.[0] ?? 0,
    options,
  };
}

/** The options in their order, as far as their lengths are right. */
export function optionsOf(payload: Buffer): [number, Buffer][] {
  const options: [number, Buffer][] = [];
  for (let at = OPTIONS_AT; at < payload.length; ) {
    const code = payload[at++] ?? 255;
    if (code === 0) continue;
    const length = payload[at++];
    if (code === 255 || length === undefined || at + length > payload.length) break;
    options.push([code, payload.subarray(at, at + length)]);
    at += length;
  }
  return options;
}

export function option(code: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(code, value.length & 255), value]);
}

/** The packet with other options; its header up to the magic cookie stays. `end`: with the end mark. */
export function writeOptions(payload: Buffer, options: readonly (readonly [number, Buffer])[], end = true): Buffer {
  const head = Buffer.alloc(OPTIONS_AT);
  payload.copy(head, 0, 0, OPTIONS_AT);
  const parts = options.map(([code, value]) => option(code, value.subarray(0, 255)));
  return Buffer.concat([head, ...parts, ...(end ? [Buffer.of(255)] : [])]);
}
