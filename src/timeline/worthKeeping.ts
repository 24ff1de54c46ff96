import type { Event } from '../model/event.ts';

/**
 * Whether an event is kept in the state. DHCP messages of strangers are shown live and not kept: a flood of made-up machines must
 * not displace the nodes' boots.
 */
export function isWorthKeeping({ kind, node }: Pick<Event, 'kind' | 'node'>): boolean {
  return node !== undefined || !kind.startsWith('dhcp.') || kind === 'dhcp.other-server';
}
