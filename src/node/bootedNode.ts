import type { Event } from '../model/event.ts';

/**
 * The node whose machine an event shows to boot: its firmware or loader asks for an address, over DHCP or BOOTP (which no
 * operating system speaks), in the node's own network, from a port that takes root to send from. What an ordinary user of a machine can
 * send shows nothing.
 */
export function bootedNode(event: Event): string | undefined {
  if (event.kind !== 'dhcp.discover' && event.kind !== 'dhcp.ack') return undefined;
  const isBoot = event.kind === 'dhcp.ack' ? event.bootp === true : event.stage !== 'os';
  return !isBoot || event.unprivileged || event.wrongNetwork ? undefined : event.node;
}
