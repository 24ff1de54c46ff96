import { formatIpv4, UNSPECIFIED } from '../model/ipv4.ts';
import { OPTION } from '../model/options.ts';
import { CIRCUIT_ID, REMOTE_ID } from './classes.ts';
import type { DhcpPacket } from './packet.ts';
import { subOption } from './relay.ts';

/** Where on the wire a machine is plugged in, as a relay or switch says of it. `key` is the same for all that are there. */
export type SwitchPort = { readonly kind: 'port' | 'relay'; readonly key: string };

/**
 * Circuit id and remote id of option 82 name a port (RFC 3046: the former alone may be that of every client of a relay); without
 * them all that come through a relay are at one place. `undefined` where neither says anything.
 */
export function switchPortOf({ options, giaddr }: Pick<DhcpPacket, 'options' | 'giaddr'>): SwitchPort | undefined {
  const relay = options.get(OPTION.relayAgent.code);
  const circuit = relay && subOption(relay, CIRCUIT_ID);
  const remote = relay && subOption(relay, REMOTE_ID);
  if (circuit && remote) return { kind: 'port', key: `${hex(remote)} ${hex(circuit)}` };
  return giaddr === UNSPECIFIED ? undefined : { kind: 'relay', key: formatIpv4(giaddr) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
