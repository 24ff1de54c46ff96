import { type Subnet as Block, inSubnet } from '../../../model/ipv4.ts';
import { reason } from '../../reason.ts';
import type { SubnetBlock } from '../meaning/blocks.ts';
import type { Reading } from '../meaning/reading.ts';
import { settingsIn, type Wire } from '../meaning/scopes.ts';
import { wordOf } from '../meaning/words.ts';

/**
 * The interface of each wire: the one that its configuration names, the one of this machine that has an address there, or the
 * operator's if there is one wire only. Where several would do, none is taken. A wire without is reached through relays.
 */
export function interfacesOf(blocks: readonly SubnetBlock[], reading: Reading): ReadonlyMap<Wire, string> {
  const { interface: wanted } = reading.context;
  const wires = Map.groupBy(blocks, ({ subnet }) => subnet.wire);
  const found = new Map<Wire, string>();
  const several = new Map<Wire, readonly string[]>();
  for (const [wire, members] of wires) {
    const here = interfacesHere(
      members.map(({ block }) => block),
      reading,
    );
    const name = saidInterface(wire) ?? (here.length === 1 ? here[0] : undefined);
    if (name !== undefined) found.set(wire, name);
    else if (here.length > 1) several.set(wire, here);
  }
  const [only] = wires.keys();
  if (wanted !== undefined && only !== undefined && wires.size === 1 && !found.has(only)) found.set(only, wanted);
  for (const wire of wires.keys()) if (!found.has(wire)) tell(wire, several.get(wire), found.size > 0, reading);
  return found;
}

function tell(wire: Wire, several: readonly string[] | undefined, hasOthers: boolean, reading: Reading): void {
  const { interface: wanted } = reading.context;
  const what =
    wire.name === undefined ? `subnet ${wire.subnets[0]?.statement.base.text}` : `shared-network ${wire.name}`;
  const hint = wanted === undefined ? ', or import with --interface' : `, such as ${wanted}`;
  const why =
    several !== undefined
      ? reason`${several.join(' and ')} have addresses in it: write \`interface:\` where requests arrive`
      : hasOthers
        ? 'taken as reached through relays: write `interface:` if its requests arrive on one of this machine'
        : reason`no interface is known for it: write \`interface:\` where requests arrive${hint}`;
  reading.tellOf('changed', wire.place, what, why);
  if (wire.subnets.length < 2) return;
  const apart =
    'without `interface:` its subnets are networks apart: the clients of a relay are given addresses of the subnet that the relay is in';
  reading.tellOf('changed', wire.place, what, apart);
}

/** The interface that `interface` names for a wire. */
function saidInterface({ subnets }: Wire): string | undefined {
  const [first] = subnets;
  const setting = first === undefined ? undefined : settingsIn(first.scope).get('interface');
  return setting === undefined ? undefined : wordOf(setting);
}

/**
 * The interfaces of this machine that have an address on a wire, only those with just that subnet if there are any; of the one
 * that the operator names, that one only.
 */
function interfacesHere(blocks: readonly Block[], { context }: Reading): readonly string[] {
  const { addresses, interface: wanted } = context;
  const inside = [...addresses].filter(
    ([name, list]) =>
      (wanted === undefined ? name !== 'lo' : name === wanted) &&
      list.some(({ ip }) => blocks.some((block) => inSubnet(block, ip))),
  );
  const exact = inside.filter(([, list]) =>
    list.some(({ ip, prefix }) => blocks.some((block) => prefix === block.prefix && inSubnet(block, ip))),
  );
  return (exact.length > 0 ? exact : inside).map(([name]) => name);
}
