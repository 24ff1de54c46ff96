import { formatSubnet } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';
import type { Findings } from './finding.ts';
import type { SiteDeclaration } from './schema.ts';
import { type InterfaceAddresses, serverFor } from './servers.ts';
import type { Declared } from './shape.ts';
import type { Site } from './site.ts';

/** Warns of interfaces that this machine lacks, and of interfaces without an address for their network. */
export function warnOfHere(
  site: Site,
  declared: Declared<SiteDeclaration>,
  addresses: InterfaceAddresses,
  findings: Findings,
): void {
  const networks = [...site.networks.values()].filter(({ interface: name }) => name !== undefined);
  const missing = networks.filter(({ interface: name }) => !addresses.has(name ?? ''));
  const placeOf = ({ name }: Network) => declared.place(['networks', name, 'interface']);
  const [first] = missing;
  if (first && missing.length === networks.length) {
    const names = [...new Set(missing.map(({ interface: name }) => name))];
    const some = names.length === 1 ? `no interface ${names[0]}` : `none of the interfaces ${names.join(', ')}`;
    findings.warn(
      placeOf(first),
      `this machine has ${some}`,
      `right if it is not the server; it has ${listed(addresses)}`,
    );
    return;
  }
  for (const network of missing) {
    const hint = `it has ${listed(addresses)}; the server waits for what is missing`;
    findings.warn(placeOf(network), `this machine has no interface ${network.interface}`, hint);
  }
  for (const network of networks) {
    if (missing.includes(network) || serverFor(network, addresses, networks) !== undefined) continue;
    const message = `${network.interface} has no address in ${formatSubnet(network.subnet)} on this machine`;
    findings.warn(placeOf(network), message, 'the network is answered once it has one');
  }
}

function listed(addresses: InterfaceAddresses): string {
  return [...addresses.keys()].join(', ') || 'none';
}
