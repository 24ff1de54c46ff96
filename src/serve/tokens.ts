import { SteadyClock } from '../dhcp/clock.ts';
import { bootedNode } from '../node/bootedNode.ts';
import { NodeTokens } from '../node/tokens.ts';
import type { Core } from './core.ts';
import type { Records } from './records.ts';

/** The tokens of nodes, which a boot that DHCP sees opens anew. */
export async function openTokens({ supervisor, bus, trouble }: Core, { store }: Records): Promise<NodeTokens> {
  // A clock that NTP sets while machines boot must neither end their boots nor make them last.
  const steady = new SteadyClock();
  const tokens = await NodeTokens.open({ store: store.tokens, now: () => steady.now(), trouble });
  supervisor.measure('tokens', () => tokens.gauges());
  bus.subscribe((event) =>
    supervisor.part('tokens', () => {
      const node = bootedNode(event);
      if (node !== undefined) tokens.bootSeen(node);
    }),
  );
  return tokens;
}
