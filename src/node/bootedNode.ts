import type { Event } from '../model/event.ts';

/**
 * The node whose machine boots according to an event: its firmware or loader asks for an address, over DHCP or BOOTP (which no
 * operating system sends), in the node's own network, from a privileged port. Packets that an unprivileged user of a machine can
 * send do not count.
 */
export function bootedNode(event: Event): string | undefined {
  if (event.kind !== 'dhcp.discover' && event.kind !== 'dhcp.ack') return undefined;
  const isBoot = event.kind === 'dhcp.ack' ? event.bootp === true : event.stage !== 'os';
  return !isBoot || event.unprivileged || event.wrongNetwork ? undefined : event.node;
}
