import { ReveilleError } from '../errors.ts';
import type { Mac } from '../model/mac.ts';
import type { NewNode } from '../site/addNodes.ts';
import { hasKin, nextName } from '../site/propose.ts';
import type { Site } from '../site/site.ts';
import type { Stranger } from '../timeline/strangers.ts';

/** How machines are adopted; `name` and an `ip` other than `next` are of one machine. */
export type Adoption = {
  readonly macs: readonly Mac[];
  readonly name?: string | undefined;
  readonly ip?: string | undefined;
  readonly network?: string | undefined;
  readonly profiles?: readonly string[] | undefined;
};

/** The nodes that machines become: names and addresses follow those of the site. Throws REQUEST_INVALID, NODE_UNKNOWN. */
export function adoptedNodes(
  site: Site,
  strangers: readonly Stranger[],
  { macs, name: given, ip = 'next', network: asked, profiles = [] }: Adoption,
): readonly NewNode[] {
  if (macs.length > 1 && (given !== undefined || ip !== 'next'))
    throw new ReveilleError('REQUEST_INVALID', 'a name and an address are of one machine');
  const names = [...site.nodes.keys()];
  return macs.map((mac) => {
    const stranger = strangers.find((one) => one.mac === mac) ?? refuse(mac, site.nodeByMac.get(mac)?.name);
    const name = given ?? nextName(names);
    names.push(name);
    const network = asked ?? (hasKin(site, name) ? undefined : stranger.network);
    return { key: name, macs: [mac], ip, ...(network === undefined ? {} : { network }), profiles, vars: {} };
  });
}

function refuse(mac: Mac, node: string | undefined): never {
  if (node !== undefined) throw new ReveilleError('REQUEST_INVALID', `${mac} is a node already: ${node}`);
  throw new ReveilleError('NODE_UNKNOWN', `no stranger ${mac} has been seen`, {
    hint: 'List them with `reveille node strangers --all`; a machine that never asked is added with `reveille node add`.',
  });
}
