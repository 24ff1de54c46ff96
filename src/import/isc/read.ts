import { lookup } from 'node:dns/promises';
import { type Ipv4, parseIpv4 } from '../../model/ipv4.ts';
import type { SiteDraft } from '../draft.ts';
import { hostNamesIn } from './draft/hostNames.ts';
import { addDhcpd } from './draft/toDraft.ts';
import type { DhcpdContext } from './meaning/reading.ts';
import { includesBeside, readConfiguration } from './text/includes.ts';
import { parseConfiguration } from './text/parser.ts';

/**
 * Reads the dhcpd.conf in `file`, with all that it includes, into a draft. Host names in the place of addresses are looked
 * up as dhcpd does. Throws FILE_MISSING, or IMPORT_INVALID at the place of what cannot be read.
 */
export async function readDhcpd(
  draft: SiteDraft,
  file: string,
  context: Omit<DhcpdContext, 'resolved'>,
): Promise<void> {
  const statements = parseConfiguration(file, readConfiguration(file), includesBeside(file));
  addDhcpd(statements, { ...context, resolved: await resolved(hostNamesIn(statements)) }, draft);
}

const AT_ONCE = 16;

/** The addresses of those names that have one. */
async function resolved(names: Iterable<string>): Promise<ReadonlyMap<string, Ipv4>> {
  const found = new Map<string, Ipv4>();
  const queue = [...names];
  const worker = async () => {
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const answer = await lookup(name, 4).catch(() => undefined);
      const ip = answer === undefined ? undefined : parseIpv4(answer.address);
      if (ip !== undefined) found.set(name, ip);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}
