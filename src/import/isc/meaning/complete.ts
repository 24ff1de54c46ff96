import type { Path } from '../../../site/yaml.ts';
import type { SiteDraft } from '../../draft.ts';
import { keyOf, type Setting } from '../text/keys.ts';
import type { Statement } from '../text/tree.ts';
import { givenValue } from './optionSettings.ts';
import type { Absence, Placement, Reading } from './reading.ts';
import { isBare } from './rules.ts';
import { type Choice, chainOf, type Scope } from './scopes.ts';
import { NOT_GIVEN } from './spaces.ts';

/**
 * Tells of everything that the configuration says what became of it: what stands in the site as taken over, with the places, and
 * what no part of the translation made use of as left out, with the reason. A host stands for what is within it.
 */
export function tellRest(reading: Reading): void {
  const inHosts = new Set<Statement>(
    reading.outline.stated.filter(({ scope }) => isInHost(scope)).map(({ setting }) => setting),
  );
  const standing = new Set<Statement>();
  for (const [statement, { place, what, at }] of reading.standing) {
    const proven = at.filter((path) => isIn(reading.draft, path));
    if (proven.length === 0) continue;
    if (statement !== undefined) standing.add(statement);
    if (statement !== undefined && inHosts.has(statement)) continue;
    const words = what();
    if (reading.hasToldOf(place, words)) continue;
    reading.draft.remark('taken', place, words, placesInWords(proven), { at: proven });
  }
  const left: Left = (statement, chain, usual) => {
    if (standing.has(statement) || reading.hasTold(statement)) return;
    // A host that is left out stands for what is within it.
    const host = chain.find(({ kind }) => kind === 'host');
    if (host !== undefined && reading.hasLeft(host.place, `host ${host.name}`)) return;
    const { why, weight } = reading.reasonOf(statement, chain) ?? usual();
    reading.tell('left', statement, why, weight);
  };
  const { outline } = reading;
  for (const { setting, scope } of outline.stated) {
    // What no network and no host makes use of has to be well-formed all the same.
    if (setting.kind === 'option' && !standing.has(setting) && !NOT_GIVEN.has(setting.option.space.toLowerCase())) {
      reading.attempt(() => givenValue(setting, reading));
    }
    left(setting, chainOf(scope), () => unused(setting, scope, reading));
  }
  for (const { ranges, permits, scope } of outline.pools) {
    for (const statement of [...ranges, ...permits]) left(statement, chainOf(scope), () => NOT_WRITTEN);
  }
  for (const { matches, scope } of outline.classes)
    for (const match of matches) left(match, chainOf(scope), () => NOT_WRITTEN);
  for (const { statement, scope } of outline.subclasses) left(statement, chainOf(scope), () => NOT_WRITTEN);
  for (const scope of outline.scopes) for (const choice of scope.choices) tellOfChoice(choice, scope, left);
  for (const definition of outline.definitions) left(definition, [], () => NOT_NEEDED);
}

/** Reports a statement that nothing was reported of; `usual` is the reason if no part of the translation gave one. */
type Left = (statement: Statement, chain: readonly Scope[], usual: () => Absence) => void;

const NOT_WRITTEN: Absence = { why: 'what it belongs to is left out' };
const NOT_NEEDED: Absence = { why: 'nothing of the new site needs it', weight: 'server' };
const SAID_AGAIN: Absence = {
  why: 'its block says it again further down, for all: the last counts',
  weight: 'server',
};
const NOTHING_IN_IT: Absence = { why: 'nothing in it is for clients', weight: 'server' };

function tellOfChoice({ statement, branches }: Choice, scope: Scope, left: Left): void {
  const isForNobody = branches.every((branch) => isBare(branch.scope));
  const usual = isForNobody ? NOTHING_IN_IT : { why: 'none of its branches is in the new site' };
  left(statement, chainOf(scope), () => usual);
  for (const branch of branches) for (const inner of branch.scope.choices) tellOfChoice(inner, branch.scope, left);
}

/** Where such a setting counts, if not where it stands. */
const ELSEWHERE: ReadonlyMap<string, Absence> = new Map<string, Absence>([
  ...['ping-check', 'ping-timeout', 'ping-timeout-ms'].map(
    (key) =>
      [key, { why: 'a site tries addresses in one way for all networks: `dhcp.probe`', weight: 'server' }] as const,
  ),
  ['log-facility', { why: 'a site logs in one way: `log`', weight: 'server' }],
  ['server-identifier', { why: 'this server has one address in a network: `server:`' }],
  ['authoritative', { why: 'each network of a site is its own', weight: 'server' }],
  ['use-host-decl-names', { why: 'there is no host that it counts for', weight: 'server' }],
  ['allow booting', { why: 'there is no pool and no host that it counts for', weight: 'server' }],
  ['option dhcp.dhcp-client-identifier', { why: 'it says who a host is, and stands in none' }],
]);
/** Of the pools alone, where it stands in a class or at the hosts. */
const OF_POOLS = ['allow unknown-clients', 'boot-unknown-clients'];

/** Why a setting that nothing else was reported of is in no part of the site. */
function unused(setting: Setting, scope: Scope, { draft, outline }: Reading): Absence {
  if (outline.replaced.has(setting)) return SAID_AGAIN;
  const key = keyOf(setting) ?? '';
  const elsewhere = ELSEWHERE.get(key);
  if (elsewhere !== undefined) return elsewhere;
  if (OF_POOLS.includes(key)) {
    const isOfNetworks = ['global', 'shared-network', 'subnet'].includes(scope.kind);
    return isOfNetworks
      ? { why: 'there is no pool that it counts for', weight: 'server' }
      : { why: 'pools say who may draw from them: `allow` and `deny`' };
  }
  if (isInHost(scope)) return { why: 'a node has nothing of the kind' };
  const hasHosts = outline.hosts.some((host) => chainOf(host.scope).includes(scope));
  if (scope.kind === 'group' && !hasHosts) return { why: 'no host stands in its group', weight: 'server' };
  if (draft.site.networks === undefined) return { why: 'there is no network that it could count in', weight: 'server' };
  return { why: 'nothing here is given it: what stands within says its own', weight: 'server' };
}

function isInHost(scope: Scope): boolean {
  return chainOf(scope).some(({ kind }) => kind === 'host');
}

/** Whether something stands at `path` of the draft: what no site can hold has been taken out. */
function isIn({ site }: SiteDraft, path: Path): boolean {
  let value: unknown = site;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value !== undefined;
}

const MOST_PLACES = 2;

/** `dns of network rack, network lab and 3 more`. */
function placesInWords(paths: Placement['at']): string {
  const words = [...new Set(paths.map(inWords))];
  const rest = words.length - MOST_PLACES;
  const shown = words.slice(0, MOST_PLACES).join(', ');
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

const ENTRIES: ReadonlyMap<string, string> = new Map([
  ['networks', 'network'],
  ['classes', 'class'],
  ['profiles', 'profile'],
  ['nodes', 'node'],
]);

function inWords([section = '', name, ...keys]: Path): string {
  const entry = ENTRIES.get(String(section));
  if (entry === undefined || name === undefined)
    return [section, ...(name === undefined ? [] : [name]), ...keys].join('.');
  const key = keys.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
  return key === '' ? `${entry} ${name}` : `${key} of ${entry} ${name}`;
}
