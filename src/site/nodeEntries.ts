import { formatPlace, type Place } from '../errors.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import { readBrackets } from './brackets.ts';
import { type Findings, quoted } from './finding.ts';
import type { NodeDeclaration, SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';

/** One entry of `nodes:`, of one node or of a range. */
export type NodeEntry = {
  /** As the file has it: `node01`, `node[01-64]`. */
  readonly key: string;
  readonly names: readonly string[];
  readonly declared: NodeDeclaration;
};

/** A value with the place that gives it, which is looked up only if something is to be told of it. */
export type Placed<T> = { readonly value: T; readonly place: () => Place };

/** A node with all that `nodes:` says of it. */
export type DeclaredNode = {
  readonly name: string;
  /** Ranges that name it in the order of the file, then the entry of its own: each is laid over those before it. */
  readonly entries: readonly NodeEntry[];
  readonly macs: readonly Placed<Mac>[];
  readonly ip?: Placed<Ipv4>;
  /** Its own, where a profile does not give it. */
  readonly bmcAddress?: string;
};

/** Far more machines than one server boots. */
const MOST_NODES = 100_000;

/**
 * The nodes that `nodes:` declares, ranges unfolded, in the order in which the file first names them. Of two ranges that
 * say different things of one node, neither can be meant: that is an error, unless the node's own entry says it itself.
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
  const said = new Set<string>();
  return [...mentions].map(([name, all]) => {
    const ordered = ownLast(all);
    if (ordered.length > 1) checkAgreement(name, ordered, site, said, findings);
    return { name, ...addressesOf(ordered, site), entries: ordered.map(({ entry }) => entry) };
  });
}

/** The names that a key of `nodes:` stands for. */
export function namesOf(key: string): readonly string[] | { readonly problem: string } {
  if (!isRange(key)) return [key];
  const word = readBrackets(key);
  return 'problem' in word ? word : word.words();
}

/** An entry that names a node, as which of the entry's names. */
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

/** Two ranges may share nodes as long as they do not contradict each other. `said` holds the pairs told of already. */
function checkAgreement(
  name: string,
  mentions: readonly Mention[],
  site: Declared<SiteDeclaration>,
  said: Set<string>,
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
        if (said.has(pair)) continue;
        said.add(pair);
        const first = formatPlace(site.place(['nodes', entry.key, key]));
        const message = `${quoted(entry.key)} (${first}) and ${quoted(later.entry.key)} give node "${name}" different ${key}`;
        const hint = `let the ranges not overlap, or write ${key} in an entry "${name}:"`;
        findings.error(site.place(['nodes', later.entry.key, key]), message, hint);
      }
    }
  }
}

/** What an entry says to one of its nodes where only one thing can be true; lists and maps are joined. */
function singleValue(key: string, value: unknown, index: number): string | undefined {
  if (key === 'ip') return String((value as NonNullable<NodeDeclaration['ip']>)[index]);
  if (key === 'mac') return (value as NonNullable<NodeDeclaration['mac']>).map((each) => each[index]).join(' ');
  if (key === 'bmc') return (value as NonNullable<NodeDeclaration['bmc']>).address?.[index];
  return typeof value === 'object' ? undefined : String(value);
}
