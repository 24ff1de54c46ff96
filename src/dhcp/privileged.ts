import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import { CLIENT_PORT, SERVER_PORT } from './destination.ts';
import type { Exchange } from './exchange.ts';

/**
 * Whether an ordinary user of a node cannot have sent this: it came from a port of DHCP, which needs privileges on the machine
 * that sends; or from a relay with a port of its own (RFC 8357), which is no node as far as `isOfNode` knows addresses.
 */
export function isPrivileged({ sender, relay }: Exchange, isOfNode: (ip: Ipv4) => boolean): boolean {
  const { ip, port } = sender;
  if (port === SERVER_PORT || port === CLIENT_PORT) return true;
  return relay?.ownPort === true && ip !== UNSPECIFIED && !isOfNode(ip);
}
