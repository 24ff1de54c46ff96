import { formatIpv4 } from '../model/ipv4.ts';
import type { Site } from '../site/site.ts';
import { oncePer } from './oncePer.ts';

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
