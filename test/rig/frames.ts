import type { Ipv4 } from '../../src/model/ipv4.ts';
import { type Mac, macFromBytes, writeMac } from '../../src/model/mac.ts';
import { UDP_HEADERS, writeUdpPacket } from '../../src/net/frame.ts';

/** Ethernet frames with UDP over IPv4, every field of them free. */

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff' as Mac;

export type UdpFrame = {
  readonly fromMac: Mac;
  readonly toMac: Mac;
  readonly from: Ipv4;
  readonly fromPort: number;
  readonly to: Ipv4;
  readonly toPort: number;
  readonly payload: Buffer;
};

const ETHERNET = 14;
const ARP_LENGTH = 28;

/** The longest payload of one frame: 1,500 bytes with both headers. */
export const LONGEST_PAYLOAD = 1500 - UDP_HEADERS;

export function writeUdpFrame({ fromMac, toMac, from, fromPort, to, toPort, payload }: UdpFrame): Buffer {
  const packet = new Uint8Array(UDP_HEADERS + payload.length);
  writeUdpPacket(packet, { ip: from, port: fromPort }, { ip: to, port: toPort }, payload);
  return Buffer.concat([etherHeader(toMac, fromMac, 0x0800), packet]);
}

/** The datagram of a frame; `undefined` for frames of another kind and for later fragments. */
export function readUdpFrame(frame: Buffer): UdpFrame | undefined {
  if (frame.length < ETHERNET + UDP_HEADERS || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 17) return undefined;
  if ((frame.readUInt16BE(20) & 0x1fff) !== 0) return undefined;
  const udp = ETHERNET + ((frame[14] ?? 0) & 15) * 4;
  if (udp + 8 > frame.length) return undefined;
  return {
    toMac: macFromBytes(frame, 0),
    fromMac: macFromBytes(frame, 6),
    from: frame.readUInt32BE(26) as Ipv4,
    to: frame.readUInt32BE(30) as Ipv4,
    fromPort: frame.readUInt16BE(udp),
    toPort: frame.readUInt16BE(udp + 2),
    payload: frame.subarray(udp + 8, Math.min(frame.length, udp + frame.readUInt16BE(udp + 4))),
  };
}

/** Who asks by ARP for which address; `undefined` for other frames. */
export function readArpRequest(
  frame: Buffer,
): { readonly mac: Mac; readonly ip: Ipv4; readonly target: Ipv4 } | undefined {
  if (frame.length < ETHERNET + ARP_LENGTH || frame.readUInt16BE(12) !== 0x0806 || frame.readUInt16BE(20) !== 1)
    return undefined;
  return {
    mac: macFromBytes(frame, 22),
    ip: frame.readUInt32BE(28) as Ipv4,
    target: frame.readUInt32BE(38) as Ipv4,
  };
}

/** The answer to an ARP request: `mac` has the address that it asks for. */
export function arpReply(request: { readonly mac: Mac; readonly ip: Ipv4; readonly target: Ipv4 }, mac: Mac): Buffer {
  const arp = Buffer.from('0001080006040002000000000000000000000000000000000000', 'hex');
  const whole = Buffer.alloc(ARP_LENGTH);
  arp.copy(whole);
  writeMac(mac, whole, 8);
  whole.writeUInt32BE(request.target, 14);
  writeMac(request.mac, whole, 18);
  whole.writeUInt32BE(request.ip, 24);
  return Buffer.concat([etherHeader(request.mac, mac, 0x0806), whole]);
}

function etherHeader(to: Mac, from: Mac, type: number): Buffer {
  const header = Buffer.alloc(ETHERNET);
  writeMac(to, header, 0);
  writeMac(from, header, 6);
  header.writeUInt16BE(type, 12);
  return header;
}
