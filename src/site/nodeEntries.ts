import { formatPlace, type Place } from '../errors.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import { readBrackets } from './brackets.ts';
import { type Findings, quoted } from './finding.ts';
import type { NodeDeclaration, SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';

/** One entry of `nodes:`, of one node or of a range. */
export type NodeEntry = {
  /** As the file spells it: `node01`, `node[01-64]`. */
  readonly key: string;
  readonly names: readonly string[];
  readonly declared: NodeDeclaration;
};

/** A value with the place that sets it, which is looked up only for a finding. */
export type Placed<T> = { readonly value: T; readonly place: () => Place };

/** A node with everything that `nodes:` sets for it. */
export type DeclaredNode = {
  readonly name: string;
  /** The ranges that contain it in the order of the file, then its own entry: each overrides those before it. */
  readonly entries: readonly NodeEntry[];
  readonly macs: readonly Placed<Mac>[];
  readonly ip?: Placed<Ipv4>;
  /** Its own, if no profile sets it. */
  readonly bmcAddress?: string;
};

/** Far more machines than one server boots. */
const MOST_NODES = 100_000;

/**
 * The nodes that `nodes:` declares, ranges unfolded, in the order in which the file first names them. Two ranges that set
 * different values for one node are an error, unless the node's own entry sets the value.
 */
export function gatherNodes(site: Declared<SiteDeclaration>, findings: Findings): readonly DeclaredNode[] {
  const mentions = new Map<string, Mention[]>();
  let total = 0;
  for (const [key, declared] of Object.entries(site.value.nodes)) {
    const names = namesOf(key);
    if ('problem' in names) {
      findings.error(site.keyPlace(['nodes', key]), `${quoted(key)} ${names.problem}`, 'such as node[01-64]');
      continue;
    }
    total += names.length;
    if (total > MOST_NODES) {
      findings.error(site.keyPlace(['nodes', key]), `the site has more than ${MOST_NODES} nodes with these`);
      break;
    }
    const entry = { key, names, declared };
    checkCounts(entry, site, findings);
    for (const [index, name] of names.entries()) {
      const known = mentions.get(name);
      if (known) known.push({ entry, index });
      else mentions.set(name, [{ entry, index }]);
    }
  }
  const reported = new Set<string>();
  return [...mentions].map(([name, all]) => {
    const ordered = ownLast(all);
    if (ordered.length > 1) checkAgreement(name, ordered, site, reported, findings);
    return { name, ...addressesOf(ordered, site), entries: ordered.map(({ entry }) => entry) };
  });
}

/** The names that a key of `nodes:` stands for. */
export function namesOf(key: string): readonly string[] | { readonly problem: string } {
  if (!isRange(key)) return [key];
  const word = readBrackets(key);
  return 'problem' in word ? word : word.words();
}

/** An entry that names a node, and the index of the node among the entry's names. */
type Mention = { readonly entry: NodeEntry; readonly index: number };

/** Whether a key of `nodes:` stands for several nodes by its form. */
export function isRange(key: string): boolean {
  return /[[\]]/.test(key);
}

function ownLast(mentions: readonly Mention[]): readonly Mention[] {
  if (mentions.length === 1) return mentions;
  const own = mentions.filter(({ entry }) => !isRange(entry.key));
  return [...mentions.filter(({ entry }) => isRange(entry.key)), ...own];
}

function addressesOf(
  mentions: readonly Mention[],
  site: Declared<SiteDeclaration>,
): Pick<DeclaredNode, 'macs' | 'ip' | 'bmcAddress'> {
  const withMac = mentions.findLast(({ entry }) => entry.declared.mac !== undefined);
  const macs = (withMac?.entry.declared.mac ?? []).flatMap((each, i) => {
    const value = each[withMac?.index ?? 0];
    return value === undefined
      ? []
      : [{ value, place: () => site.place(['nodes', withMac?.entry.key ?? '', 'mac', i]) }];
  });
  const withIp = mentions.findLast(({ entry }) => entry.declared.ip !== undefined);
  const ip = withIp?.entry.declared.ip?.[withIp.index];
  const withBmc = mentions.findLast(({ entry }) => entry.declared.bmc?.address !== undefined);
  const bmcAddress = withBmc?.entry.declared.bmc?.address?.[withBmc.index];
  return {
    macs,
    ...(withIp === undefined || ip === undefined
      ? {}
      : { ip: { value: ip, place: () => site.place(['nodes', withIp.entry.key, 'ip']) } }),
    ...(bmcAddress === undefined ? {} : { bmcAddress }),
  };
}

/** A range pairs its nodes with its addresses one to one. */
function checkCounts({ key, names, declared }: NodeEntry, site: Declared<SiteDeclaration>, findings: Findings): void {
  const check = (found: number, place: () => Place, what: string, example: string): void => {
    if (found === names.length) return;
    const message = `${quoted(key)} stands for ${names.length === 1 ? 'one node' : `${names.length} nodes`}, but its ${what} for ${found}`;
    findings.error(place(), message, names.length > 1 ? `write one for each: ${example}` : 'write one');
  };
  if (declared.ip) check(declared.ip.length, () => site.place(['nodes', key, 'ip']), 'ip', 'ip: 10.0.0.[51-114]');
  if (declared.bmc?.address) {
    const place = () => site.place(['nodes', key, 'bmc', 'address']);
    check(declared.bmc.address.length, place, 'bmc.address', 'address: 10.1.0.[51-114]');
  }
  for (const [i, each] of declared.mac?.entries() ?? []) {
    check(each.length, () => site.place(['nodes', key, 'mac', i]), 'mac', 'mac: 52:54:00:00:00:[51-90] (hexadecimal)');
  }
}

/** Two ranges may share nodes if they do not contradict each other. `reported` holds the pairs that have a finding already. */
function checkAgreement(
  name: string,
  mentions: readonly Mention[],
  site: Declared<SiteDeclaration>,
  reported: Set<string>,
  findings: Findings,
): void {
  const seen = new Map<string, { readonly text: string; readonly entry: NodeEntry }>();
  for (const { entry, index } of mentions.toReversed()) {
    for (const [key, value] of Object.entries(entry.declared)) {
      const text = singleValue(key, value, index);
      if (text === undefined) continue;
      const later = seen.get(key);
      if (later === undefined) seen.set(key, { text, entry });
      else if (later.text !== text && isRange(later.entry.key)) {
        const pair = JSON.stringify([key, entry.key, later.entry.key]);
        if (reported.has(pair)) continue;
        reported.add(pair);
        const first = formatPlace(site.place(['nodes', entry.key, key]));
        const message = `${quoted(entry.key)} (${first}) and ${quoted(later.entry.key)} give node "${name}" different ${key}`;
        const hint = `let the ranges not overlap, or write ${key} in an entry "${name}:"`;
        findings.error(site.place(['nodes', later.entry.key, key]), message, hint);
      }
    }
  }
}

/** The settings of an entry for one of its nodes that can have one value only; lists and maps are joined. */
function singleValue(key: string, value: unknown, index: number): string | undefined {
  if (key === 'ip') return String((value as NonNullable<NodeDeclaration['ip']>)[index]);
  if (key === 'mac') return (value as NonNullable<NodeDeclaration['mac']>).map((each) => each[index]).join(' ');
  if (key === 'bmc') return (value as NonNullable<NodeDeclaration['bmc']>).address?.[index];
  return typeof value === 'object' ? undefined : String(value);
}
