import type { Path } from '../../site/yaml.ts';
import { isWhy, reason, reasons, type Why } from '../reason.ts';
import { Unnameable } from './conditions.ts';
import { isSet, unsetWords } from './outcomes.ts';
import type { PoolText, Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { isNot, tagOf } from './tagBook.ts';
import { tagged } from './values.ts';

type Members = { readonly allow: readonly string[]; readonly deny: readonly string[] };

/** Who draws from a pool whose range needs these tags; a text says why no pool can stand for that. */
export function allowOf(needs: readonly Field[], reading: Reading): Pick<PoolText, 'allow' | 'deny'> | Why {
  const found = membersOf(
    needs.map(({ text }) => text),
    reading,
  );
  if (isWhy(found)) return found;
  return asText({ allow: found.allow.length === 0 ? ['any'] : found.allow, deny: found.deny });
}

/** Members of all these tags, and of none of those that are not to be set. An empty `allow` stands for every client. */
function membersOf(needs: readonly string[], reading: Reading): Members | Why {
  const written = reading.tags.writtenOut(needs);
  if (written === undefined) return 'its tags are computed by tag-if in a way that no pool can ask for: write a class';
  const unset = written.find((need) => !isNot(need) && need !== 'known' && !reading.tags.isOfMachines(need));
  if (unset !== undefined) {
    return isSet(unset, reading)
      ? reason`a pool asks for no tag of hosts such as ${unset}: write \`ip:\` for their nodes`
      : reason`${unsetWords(unset, reading)}, so no machine draws from it`;
  }
  const asked = written.filter((need) => !isNot(need));
  const isKnown = asked.includes('known');
  const others = asked.filter((tag) => tag !== 'known');
  if (isKnown && others.length > 0)
    return 'a pool cannot ask for listed machines that have another tag as well: write `ip:` for them';
  const not = written.filter(isNot).map(tagOf);
  const classes = isKnown ? ['known', ...reading.classesOfTag('known')] : classesOfAll(others, reading);
  if (classes === undefined) return reason`no class can ask for the tags ${others.join(', ')} at once`;
  if (!isKnown && others.length > 0 && classes.length === 0)
    return reason`no machine has the tags ${others.join(', ')} together`;
  const isUnknown = not.includes('known');
  return {
    allow: isUnknown && asked.length === 0 ? ['unknown'] : classes,
    deny: [...(isUnknown && asked.length > 0 ? ['known'] : []), ...not.flatMap((tag) => reading.classesOfTag(tag))],
  };
}

function classesOfAll(tags: readonly string[], reading: Reading): readonly string[] | undefined {
  if (tags.length === 0) return [];
  try {
    return reading.classesFor(tags, reading.tags.asksOfAll(tags));
  } catch (error) {
    if (error instanceof Unnameable) return undefined;
    throw error;
  }
}

function asText({ allow, deny }: Members): Pick<PoolText, 'allow' | 'deny'> {
  const [only, ...more] = allow;
  return {
    allow: only !== undefined && more.length === 0 ? only : [...allow],
    ...(deny.length === 0 ? {} : { deny: [...deny] }),
  };
}

/** `dhcp-ignore`: machines with all of these tags get no address. */
export function draftIgnored(reading: Reading): void {
  reading.each(reading.of('dhcp-ignore'), (setting) => {
    const { needs, rest } = tagged(setting.fields);
    const tags = [...needs, ...rest].map(({ text }) => text);
    const written = reading.tags.writtenOut(tags);
    if (written === undefined)
      return reading.left(setting, 'its tags are computed by tag-if in a way that no pool can ask for');
    const not = written.filter(isNot).map(tagOf);
    if (not.length === written.length) return onlyFor(not, setting, reading);
    const found =
      not.length > 0
        ? 'pools refuse members of a class, and not those of them who have a tag besides'
        : membersOf(tags, reading);
    if (isWhy(found)) return reading.left(setting, found);
    refuse(found.allow, setting, reading);
  });
}

/** Keeps members of classes out of all pools. */
export function refuse(names: readonly string[], setting: Setting, reading: Reading, notes: readonly Why[] = []): void {
  for (const { text } of reading.networks) {
    for (const pool of text.pools ?? []) pool.deny = [...new Set([...[pool.deny ?? []].flat(), ...names])];
  }
  const classes = names.filter((name) => name !== 'known');
  const at = [...classes.map((name): Path => ['classes', name]), ...poolPaths(reading, 'deny')];
  const why = reason`the pools refuse ${classes.length === 0 ? 'nodes' : `class ${classes.join(', ')}`}`;
  const all = [...notes, ...(reading.hosts.length > 0 && classes.length > 0 ? nodesOf(names, reading) : [])];
  if (at.length === 0) reading.left(setting, 'there is no pool that could refuse them');
  else if (all.length > 0) reading.tell('changed', setting, reasons([why, ...all]));
  else reading.taken(setting, at, why.toString());
}

/** Nodes have addresses of their own, which no pool refuses them. */
function nodesOf(names: readonly string[], reading: Reading): readonly string[] {
  const classes = names.map((name) => reading.draft.site.classes?.[name]);
  const asksForMacs = classes.every((one) => one?.macs !== undefined);
  const listed = new Set(reading.hosts.flatMap(({ macs }) => macs));
  const meant = classes.flatMap((one) => [one?.macs ?? []].flat());
  const isOne = [...listed].some((mac) => meant.some((prefix) => mac.startsWith(prefix.replace(/\*$/, ''))));
  return asksForMacs && !isOne ? [] : ['nodes that have an address of their own are given it all the same'];
}

/** Only machines with one of these tags get addresses from the pools. */
function onlyFor(tags: readonly string[], setting: Setting, reading: Reading) {
  const names = tags.flatMap((tag) => [...(tag === 'known' ? ['known'] : []), ...reading.classesOfTag(tag)]);
  const lost = tags.find((tag) => tag !== 'known' && !reading.tags.isOfMachines(tag));
  if (lost !== undefined) {
    const why = isSet(lost, reading)
      ? reason`a pool asks for no tag of hosts such as ${lost}`
      : reason`${unsetWords(lost, reading)}, so no machine would be given an address`;
    return reading.left(setting, why);
  }
  const closed: string[] = [];
  for (const { text, name } of reading.networks) {
    for (const pool of [...(text.pools ?? [])]) {
      const allowed = [pool.allow ?? []].flat();
      if (allowed.includes('any')) pool.allow = names.length === 1 ? (names[0] ?? 'known') : [...names];
      else if (!allowed.every((one) => names.includes(one))) {
        // Of who is asked for, those that are let in by both.
        const left = allowed.filter((one) => names.includes(one));
        if (left.length > 0) pool.allow = [...left];
        else if (allowed.includes('unknown') && tags.length === 1)
          text.pools = text.pools?.filter((one) => one !== pool) ?? [];
        else closed.push(`${[pool.range].flat().join(', ')} of network ${name}`);
      }
    }
  }
  const at = poolPaths(reading, 'allow');
  const isForNodes = tags.length === 1 && tags[0] === 'known';
  const notes: Why[] =
    isForNodes || reading.hosts.length === 0
      ? []
      : ['nodes that have an address of their own are given it all the same'];
  if (closed.length > 0)
    notes.push(
      reason`the pool ${closed.join('; ')} is for others than the class, which no pool can say: look at its \`allow\``,
    );
  const why =
    names.length === 1 && names[0] === 'known'
      ? 'the pools are for nodes of the site'
      : reason`the pools are for ${names.join(', ')}`;
  if (at.length === 0) return reading.left(setting, 'there is no pool; nodes have their own addresses', 'server');
  if (notes.length > 0) return reading.tell('changed', setting, reasons([why, ...notes]));
  return reading.taken(setting, at, why.toString());
}

function poolPaths({ networks }: Reading, key: 'allow' | 'deny'): readonly Path[] {
  return networks.flatMap(({ name, text }) =>
    (text.pools ?? []).flatMap((pool, i): Path[] =>
      pool[key] === undefined ? [] : [['networks', name, 'pools', i, key]],
    ),
  );
}
