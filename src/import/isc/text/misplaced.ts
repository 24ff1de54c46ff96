import { quoted } from '../../../site/finding.ts';
import { invalid } from '../../invalid.ts';
import { show } from './show.ts';
import type { Statement } from './tree.ts';

/** What a statement stands in: a block, the file itself, or the statements that run for each client. */
type Around = 'file' | 'shared-network' | 'subnet' | 'group' | 'pool' | 'host' | 'class' | 'subclass' | 'run';

const NETWORKS: readonly Around[] = ['shared-network', 'subnet'];
const OUTER: readonly Around[] = ['file', 'shared-network', 'subnet', 'group', 'pool'];
const BLOCKS: readonly Around[] = [...OUTER, 'host', 'class', 'subclass'];

/** Where dhcpd takes declarations, by their kind. */
const DECLARATIONS: { readonly [kind in Statement['kind']]?: readonly Around[] } = {
  host: OUTER,
  group: OUTER,
  'shared-network': ['file', 'group', 'pool'],
  subnet: ['file', 'shared-network', 'group', 'pool'],
  pool: NETWORKS,
  class: [...OUTER, 'host'],
  subclass: [...OUTER, 'host'],
  range: ['subnet', 'pool'],
  hardware: ['host'],
  match: ['class'],
  spawn: ['class'],
  'lease-limit': ['class', 'subclass'],
  authoritative: BLOCKS.filter((block) => block !== 'host'),
  'option-definition': ['file'],
  'option-space': ['file'],
};

/** Where dhcpd takes those parameters that it does not take everywhere. */
const PARAMETERS: { readonly [keyword: string]: readonly Around[] } = {
  __proto__: null as never,
  'fixed-address': ['host'],
  uid: ['host'],
  'host-identifier': ['host'],
  group: ['host'],
  interface: NETWORKS,
  'server-identifier': BLOCKS,
};

/**
 * The statements that stand where dhcpd does not take them, and those that their block has already or lacks: dhcpd refuses each,
 * and with it the configuration.
 */
export function misplacedStatements(statements: readonly Statement[]): readonly Error[] {
  const problems: Error[] = [];
  const walk = (body: readonly Statement[], around: Around, block: Statement | undefined): void => {
    for (const statement of body) {
      if (!isTaken(statement, around)) problems.push(problemOf(statement, around, block));
      problems.push(...lackingIn(statement), ...repeatedIn(statement));
      for (const inner of bodiesOf(statement)) walk(inner, blockOf(statement), statement);
    }
  };
  walk(statements, 'file', undefined);
  return problems;
}

/** A shared network without a subnet, a pool without a range. */
function lackingIn(statement: Statement): readonly Error[] {
  if (statement.kind === 'pool' && !statement.body.some(({ kind }) => kind === 'range')) {
    return [invalid(statement.place, 'this pool has no range', 'write its range into it, or take it away')];
  }
  if (statement.kind !== 'shared-network' || statement.body.some(({ kind }) => kind === 'subnet')) return [];
  const hint = 'write its subnets into it, or take it away';
  return [invalid(statement.place, `shared-network ${quoted(statement.name)} has no subnet`, hint)];
}

/** Those conditions of a class that it has already. */
function repeatedIn(statement: Statement): readonly Error[] {
  if (statement.kind !== 'class') return [];
  const conditions = statement.body.filter((one) => one.kind === 'match' && one.condition);
  const submatches = statement.body.filter((one) => (one.kind === 'match' && !one.condition) || one.kind === 'spawn');
  return [
    ...conditions
      .slice(1)
      .map(({ place }) => invalid(place, 'a class has one "match if"', 'join the two by "or" or "and"')),
    ...submatches.slice(1).map(({ place }) => invalid(place, 'a class has one "match" or "spawn with"')),
  ];
}

function isTaken(statement: Statement, around: Around): boolean {
  switch (statement.kind) {
    case 'parameter':
      return PARAMETERS[statement.keyword]?.includes(around) ?? true;
    case 'foreign':
      if (statement.keyword === 'failover peer') return ['file', 'shared-network'].includes(around);
      return statement.keyword !== 'failover' || ['pool', 'shared-network'].includes(around);
    case 'permit':
      // Outside of pools the words are others: they switch what the server does.
      return statement.what.kind === 'flag'
        ? around !== 'pool'
        : around === 'pool' || statement.what.kind === 'unknown';
    default:
      return DECLARATIONS[statement.kind]?.includes(around) ?? true;
  }
}

function problemOf(statement: Statement, around: Around, block: Statement | undefined): Error {
  const where = block === undefined || around === 'file' ? 'outside of all blocks' : `in ${WORDS[around]}`;
  const isBlock = bodiesOf(statement).length > 0;
  const line = block?.place.line;
  const hint =
    line !== undefined && isBlock
      ? `the block that begins in line ${line} is not closed before it`
      : `it can stand in ${placesOf(statement)}`;
  return invalid(statement.place, `${quoted(show(statement))} cannot stand ${where}`, hint);
}

const WORDS: { readonly [around in Around]: string } = {
  file: 'the file outside of all blocks',
  'shared-network': 'a shared-network',
  subnet: 'a subnet',
  group: 'a group',
  pool: 'a pool',
  host: 'a host',
  class: 'a class',
  subclass: 'a subclass',
  run: 'what runs for each client',
};

function placesOf(statement: Statement): string {
  const places = [...OUTER, 'host', 'class', 'subclass', 'run'] as const;
  return places
    .filter((around) => isTaken(statement, around))
    .map((around) => WORDS[around])
    .join(', ');
}

function bodiesOf(statement: Statement): readonly (readonly Statement[])[] {
  if (statement.kind === 'if') return statement.branches.map(({ body }) => body);
  if (statement.kind === 'switch') return statement.cases.map(({ body }) => body);
  return 'body' in statement && statement.body !== undefined ? [statement.body] : [];
}

function blockOf({ kind }: Statement): Around {
  return (BLOCKS as readonly string[]).includes(kind) ? (kind as Around) : 'run';
}
