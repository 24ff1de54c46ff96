import {
  type Subnet as Block,
  formatIpv4,
  formatSubnet,
  type Ipv4,
  inSubnet,
  netmaskOf,
  parseIpv4,
} from '../../../model/ipv4.ts';
import { invalid } from '../../invalid.ts';
import { reason } from '../../reason.ts';
import { lineSeenFrom } from './comments.ts';
import type { Reading } from './reading.ts';
import type { Subnet } from './scopes.ts';

export type SubnetBlock = { readonly subnet: Subnet; readonly block: Block };

/** The addresses of a subnet. Throws IMPORT_INVALID. */
export function blockOf({ statement }: Subnet, { context }: Reading): Block {
  const base = parseIpv4(statement.base.text) ?? context.resolved.get(statement.base.text);
  const mask = parseIpv4(statement.netmask.text);
  const prefix = mask === undefined ? -1 : prefixOf(mask);
  if (prefix < 0) throw invalid(statement.netmask.place, `"${statement.netmask.text}" is not a netmask`);
  if (base === undefined) throw invalid(statement.base.place, 'this name has no address here', 'write the address');
  if ((base & netmaskOf(prefix)) >>> 0 !== base) {
    throw invalid(statement.base.place, `${formatIpv4(base)} has bits set beyond netmask ${statement.netmask.text}`);
  }
  return { base, prefix };
}

/** The prefix length of a netmask; -1 if its ones do not come first. */
function prefixOf(mask: Ipv4): number {
  for (let prefix = 0; prefix <= 32; prefix++) if (netmaskOf(prefix) === mask) return prefix;
  return -1;
}

/**
 * The subnets that can be networks of a site, in their order: dhcpd takes subnets within others, where the inner one counts for
 * its addresses, but an address belongs to one network of a site. What gives nothing out makes room for what does, else what
 * gives out less.
 */
export function blocksOf(reading: Reading): readonly SubnetBlock[] {
  const all = reading.outline.wires.flatMap(({ subnets }) =>
    subnets.flatMap((subnet): SubnetBlock[] => {
      const block = reading.attempt(() => blockOf(subnet, reading));
      return block === undefined ? [] : [{ subnet, block }];
    }),
  );
  if (!hasOverlap(all)) return all;
  const weights = weighed(all, reading);
  const weight = (one: SubnetBlock) => weights.get(one) ?? 0;
  const kept: SubnetBlock[] = [];
  // Of two alike the inner one.
  for (const one of all.toSorted((a, b) => weight(b) - weight(a) || b.block.prefix - a.block.prefix)) {
    const other = kept.find(({ block }) => overlap(block, one.block));
    if (other === undefined) kept.push(one);
    else leaveOut(one, other, weight(one), reading);
  }
  return all.filter((one) => kept.includes(one));
}

function hasOverlap(all: readonly SubnetBlock[]): boolean {
  const blocks = all.map(({ block }) => block).toSorted((a, b) => a.base - b.base);
  return blocks.some((block, i) => {
    const before = blocks[i - 1];
    return before !== undefined && overlap(before, block);
  });
}

function overlap(a: Block, b: Block): boolean {
  return inSubnet(a, b.base) || inSubnet(b, a.base);
}

function leaveOut({ subnet, block }: SubnetBlock, other: SubnetBlock, weight: number, reading: Reading): void {
  const { place } = subnet.statement;
  const nothing = weight === 0 ? 'it gives nothing out, and ' : '';
  const why = reason`${nothing}it overlaps ${formatSubnet(other.block)} of ${lineSeenFrom(place, other.subnet.statement.place)}: an address belongs to one network of a site`;
  reading.tell('left', subnet.statement, why, weight === 0 ? 'server' : 'clients');
  reading.leaveOut(
    subnet.scope,
    reason`its subnet ${formatSubnet(block)} is left out`,
    weight === 0 ? 'server' : 'clients',
  );
}

/** How many addresses each subnet gives out: those of its ranges, and of hosts in no smaller subnet. */
function weighed(all: readonly SubnetBlock[], reading: Reading): ReadonlyMap<SubnetBlock, number> {
  const weights = new Map<SubnetBlock, number>();
  const add = (ip: Ipv4 | undefined, count: number, among: readonly SubnetBlock[]): void => {
    if (ip === undefined) return;
    const around = among.filter(({ block }) => inSubnet(block, ip));
    const [inner] = around.toSorted((a, b) => b.block.prefix - a.block.prefix);
    if (inner !== undefined) weights.set(inner, (weights.get(inner) ?? 0) + count);
  };
  const ipOf = (text: string) => parseIpv4(text) ?? reading.context.resolved.get(text);
  for (const { ranges, wire } of reading.outline.pools) {
    const among = all.filter(({ subnet }) => subnet.wires.includes(wire));
    for (const { first, last } of ranges) {
      const [from, to] = [ipOf(first.text), ipOf(last.text)];
      if (from !== undefined && to !== undefined) add(from, Math.abs(to - from) + 1, among);
    }
  }
  for (const { scope } of reading.outline.hosts) {
    const setting = scope.set.get('fixed-address');
    if (setting?.kind !== 'parameter' || !('data' in setting.value)) continue;
    for (const { text } of setting.value.data.flat()) add(ipOf(text), 1, all);
  }
  return weights;
}
