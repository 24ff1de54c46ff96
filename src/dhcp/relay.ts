import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import { ip } from '../model/optionKinds.ts';
import { OPTION } from '../model/options.ts';
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
  const option = packet.options.get(OPTION.relayAgent.code) ?? NOTHING;
  const link = ip.decode(subOption(option, LINK_SELECTION) ?? NOTHING);
  const serverOverride = ip.decode(subOption(option, SERVER_ID_OVERRIDE) ?? NOTHING);
  return {
    link: link ?? packet.giaddr,
    ...(serverOverride === undefined ? {} : { serverOverride }),
    ownPort: subOption(option, RELAY_PORT) !== undefined,
  };
}

const NOTHING = new Uint8Array();

/** The value of one sub-option of option 82; `undefined` if it is absent or runs beyond the end. */
export function subOption(data: Uint8Array, wanted: number): Uint8Array | undefined {
  for (let at = 0; at + 1 < data.length; ) {
    const code = data[at];
    const end = at + 2 + (data[at + 1] ?? 0);
    if (end > data.length) return undefined;
    if (code === wanted) return data.subarray(at + 2, end);
    at = end;
  }
  return undefined;
}
