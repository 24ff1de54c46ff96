import { formatIpv4 } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import { oncePer } from './oncePer.ts';
import { sha256Of } from './sha256.ts';

/** Every node of the site that has an address, a line each as hosts(5) has them: address, then the names. */
export const hostsOf: (site: Site) => string = oncePer((site) => {
  const lines: string[] = [];
  for (const node of site.nodes.values()) {
    if (node.ip === undefined) continue;
    const domain = site.networks.get(node.network ?? '')?.domain;
    const names = domain === undefined ? node.name : `${node.name}.${domain} ${node.name}`;
    lines.push(`${formatIpv4(node.ip)}\t${names}\n`);
  }
  return lines.join('');
});

/** The /etc/hosts of nodes with an address of their own, and its SHA-256: one for all of them, as long as the site names them all. */
export const sharedHosts: (site: Site) => { readonly content: Buffer; readonly sha256: string } = oncePer((site) => {
  const content = Buffer.from(`${LOCALHOST}${hostsOf(site)}`);
  return { content, sha256: sha256Of(content) };
});

/** The /etc/hosts that a node gets unless it has another. */
export function hostsFor(site: Site, self: SiteNode): Buffer {
  if (self.ip !== undefined) return sharedHosts(site).content;
  return Buffer.from(`${LOCALHOST}127.0.1.1\t${self.name}\n${hostsOf(site)}`);
}

const LOCALHOST = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';
