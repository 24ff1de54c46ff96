import { type Ipv4, UNSPECIFIED } from '../net/ipv4.ts';
import { ip } from './kinds.ts';
import { OPTION } from './options.ts';
import type { DhcpPacket } from './packet.ts';

/** What a relay says of the client's wire. Addresses are 0.0.0.0 where the relay says nothing. */
export type Relay = {
  /** The subnet that the client is in: link selection (RFC 3527), else the relay's own address. */
  readonly link: Ipv4;
  /** What option 54 must say instead of our address (RFC 5107). */
  readonly serverOverride?: Ipv4;
  /** The relay listens on the port it sent from (RFC 8357). */
  readonly ownPort: boolean;
};

const LINK_SELECTION = 5;
const SERVER_ID_OVERRIDE = 11;
const RELAY_PORT = 19;

/** Reads giaddr and option 82 (RFC 3046); `undefined` for a request that came without a relay. */
export function relayOf(packet: DhcpPacket): Relay | undefined {
  if (packet.giaddr === UNSPECIFIED) return undefined;
  const parts = subOptions(packet.options.get(OPTION.relayAgent.code) ?? new Uint8Array());
  const link = ip.decode(parts.get(LINK_SELECTION) ?? new Uint8Array());
  const serverOverride = ip.decode(parts.get(SERVER_ID_OVERRIDE) ?? new Uint8Array());
  return {
    link: link ?? packet.giaddr,
    ...(serverOverride === undefined ? {} : { serverOverride }),
    ownPort: parts.has(RELAY_PORT),
  };
}

function subOptions(data: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const parts = new Map<number, Uint8Array>();
  for (let at = 0; at + 1 < data.length; ) {
    const [code = 0, length = 0] = data.subarray(at, at + 2);
    if (at + 2 + length > data.length) break;
    parts.set(code, data.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return parts;
}
