import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Wire } from './wire.ts';

/** The n-th node of a big site: its MAC and its address, from the fourth eighth of the subnet on. */
export function nodeAt(wire: Wire, n: number): { readonly mac: string; readonly ip: string } {
  const hex = (byte: number) => byte.toString(16).padStart(2, '0');
  const [second = 0] = wire.prefix.split('.').slice(1).map(Number);
  return {
    mac: `02:00:00:${hex(n >> 16)}:${hex((n >> 8) & 255)}:${hex(n & 255)}`,
    ip: `10.${second + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`,
  };
}

/** The first n whose address is no server's and no client's. */
export const FIRST_NODE = 256;

export type BigSite = {
  readonly nodes: number;
  /** What the profile of all nodes boots; an edit changes it. */
  readonly image?: string;
};

/**
 * Writes a site of many nodes, each in a line of its own with two profiles and variables, and one overlay with a template. A site that is there is replaced as an editor
 * does it: whole, by a rename.
 */
export function writeBigSite(folder: string, wire: Wire, { nodes, image = 'ram' }: BigSite): void {
  mkdirSync(join(folder, 'overlays/base/etc'), { recursive: true });
  mkdirSync(join(folder, 'images'), { recursive: true });
  writeFileSync(join(folder, 'overlays/base/etc/motd.j2'), 'This is {{ node.name }} in rack {{ vars.rack }}.\n');
  for (const name of ['ram', 'other'])
    writeFileSync(join(folder, `images/${name}.yaml`), 'from: { debian: bookworm }\n');
  const lines = Array.from({ length: nodes }, (_, i) => {
    const { mac, ip } = nodeAt(wire, FIRST_NODE + i);
    return `  n${i}: { mac: '${mac}', ip: ${ip}, profiles: [base, compute], vars: { rack: r${i >> 5} } }\n`;
  });
  const text = `networks: { load: { interface: ${wire.interface}, subnet: 10.0.0.0/12, server: ${wire.server} } }
dhcp: { probe: off }
profiles:
  base: { kernelArgs: [console=ttyS0], overlays: [base], vars: { rack: none } }
  compute: { image: ${image} }
nodes:
${lines.join('')}`;
  writeFileSync(join(folder, 'site.new'), text);
  renameSync(join(folder, 'site.new'), join(folder, 'site.yaml'));
}
