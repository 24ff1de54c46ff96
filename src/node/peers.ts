import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import type { Identities, Identity } from './identity.ts';
import { addressesOf } from './net.ts';
import { oncePer } from './oncePer.ts';

/** A node's knowledge of its peers, itself included, as files of OpenSSH hold it. */
export type Peers = {
  /** ssh_known_hosts(5): each peer's names and addresses with its Ed25519 host key: one, as it goes to every peer. */
  readonly knownHosts: string;
  /** authorized_keys(5): each peer's key of the user nova, for commands alone. */
  readonly authorizedKeys: string;
};

/** A placeholder for when there is no state. */
export const SAMPLE_PEERS: Peers = { knownHosts: '# (samples)\n', authorizedKeys: '# (samples)\n' };

/** The nodes that exchange keys: those with this overlay, and the same value of this variable of it. */
export const PEERS_OVERLAY = 'nova-ssh';

/** The nodes that exchange keys with each other, by their common value, in the order of the site. */
export function peersOf(site: Site, group: string): readonly SiteNode[] {
  return groupsOf(site).get(group) ?? [];
}

const groupsOf = oncePer((site: Site): ReadonlyMap<string, readonly SiteNode[]> => {
  const peers = site.nodes.values().filter((one) => one.overlays.includes(PEERS_OVERLAY));
  return Map.groupBy(peers, groupOf);
});

/** The value that a node's group of peers shares; empty unless the site sets one. */
export function groupOf({ vars }: SiteNode): string {
  const { nova_ssh: settings } = vars;
  const group = typeof settings === 'object' && settings !== null && 'group' in settings ? settings.group : undefined;
  return typeof group === 'string' ? group : '';
}

/** What is laid for nodes with these peers, whose identities have their `novaKey`. */
export function peersText(site: Site, peers: readonly (readonly [SiteNode, Identity])[]): Peers {
  const known: string[] = [];
  const authorized: string[] = [];
  for (const [node, { sshHostKeys, novaKey }] of peers) {
    const network = site.networks.get(node.network ?? '');
    const full = network?.domain === undefined ? [] : [`${node.name}.${network.domain}`];
    const names = [node.name, ...full, ...addressesOf(node, network)].join(',');
    known.push(`${names} ${withoutComment(sshHostKeys.ed25519.public)}\n`);
    if (novaKey) authorized.push(`restrict ${novaKey.public}\n`);
  }
  return { knownHosts: known.join(''), authorizedKeys: authorized.join('') };
}

/**
 * Provides a node's knowledge of its peers. It is assembled once for a loaded site and each group of peers, whose nodes share it:
 * a rack of thousands asks thousands of times. Missing identities are made for it.
 */
export function openPeers(identities: Pick<Identities, 'of'>): (site: Site, node: SiteNode) => Promise<Peers> {
  const ofSite = new WeakMap<Site, Map<string, Promise<Peers>>>();

  const gather = async (site: Site, group: string): Promise<Peers> => {
    const peers = peersOf(site, group);
    const known: (readonly [SiteNode, Identity])[] = [];
    for (let at = 0; at < peers.length; at += MADE_AT_ONCE) {
      const some = peers.slice(at, at + MADE_AT_ONCE);
      known.push(...(await Promise.all(some.map(async (one) => [one, await identities.of(one.name, NOVA)] as const))));
    }
    return peersText(site, known);
  };

  return (site, node) => {
    const groups = ofSite.get(site) ?? new Map<string, Promise<Peers>>();
    ofSite.set(site, groups);
    const group = groupOf(node);
    const gathered = groups.get(group) ?? gather(site, group);
    groups.set(group, gathered);
    // A state that was down is asked again for the next node.
    gathered.catch(() => groups.delete(group));
    return gathered;
  };
}

const NOVA = { nova: true };
const MADE_AT_ONCE = 100;

/** `ssh-ed25519 AAAA...` of a public key's line. */
function withoutComment(line: string): string {
  return line.split(' ').slice(0, 2).join(' ');
}
