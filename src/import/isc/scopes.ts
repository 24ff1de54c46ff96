import type { Place } from '../../errors.ts';
import type { SiteDraft } from '../draft.ts';
import { show } from './show.ts';
import { type Fate, FLAGS, fateOf } from './statements.ts';
import type { Branch, Expression, Statement, StatementOf } from './tree.ts';

/** Statements that stand in one block and count in all blocks within it. */
export type Scope = {
  readonly kind: 'global' | 'group' | 'shared-network' | 'subnet' | 'pool' | 'class' | 'host' | 'branch';
  readonly name?: string;
  readonly place: Place;
  readonly parent?: Scope;
  /** The last statement of each kind that sets something: `filename`, `option routers`, `allow unknown-clients`. */
  readonly set: Map<string, Setting>;
  readonly choices: Choice[];
};

/** An `if` or `switch`: the first branch counts whose condition holds; one without a condition always does. */
export type Choice = {
  readonly statement: StatementOf<'if' | 'switch'>;
  readonly branches: readonly { readonly condition?: Expression; readonly scope: Scope }[];
  /** What its last branch gives, where that has no condition and so counts for the whole scope. */
  readonly otherwise?: ReadonlyMap<string, Setting>;
};

/** A statement that gives something a value in its scope. */
export type Setting = StatementOf<'option' | 'parameter' | 'permit' | 'authoritative'>;

/** The wire of a shared network, or of a subnet that shares it with none. */
export type Wire = { readonly name?: string; readonly place: Place; readonly scope: Scope; readonly subnets: Subnet[] };
export type Subnet = { readonly statement: StatementOf<'subnet'>; readonly scope: Scope; readonly wire: Wire };
export type Pool = {
  readonly place: Place;
  readonly scope: Scope;
  readonly wire: Wire;
  readonly ranges: StatementOf<'range'>[];
  readonly permits: StatementOf<'permit'>[];
};
export type Host = {
  readonly name: string;
  readonly place: Place;
  readonly scope: Scope;
  readonly hardware: StatementOf<'hardware'>[];
};
export type MachineClass = {
  readonly name: string;
  readonly place: Place;
  readonly scope: Scope;
  readonly matches: StatementOf<'match'>[];
};

/** What a configuration declares, each thing with the scope that counts for it. */
export type Outline = {
  readonly global: Scope;
  readonly wires: Wire[];
  /** In their order; ranges outside pools make a pool of their own. */
  readonly pools: Pool[];
  readonly hosts: Host[];
  readonly classes: MachineClass[];
  readonly subclasses: { readonly statement: StatementOf<'subclass'>; readonly scope: Scope }[];
  /** Every scope in which something stands, but for branches. */
  readonly scopes: Scope[];
  readonly definitions: StatementOf<'option-definition' | 'option-space'>[];
};

/**
 * Sorts the statements of a configuration by what they declare and where they count. What has no part in a site is
 * told in the draft's remarks.
 */
export function outline(statements: readonly Statement[], draft: SiteDraft): Outline {
  const global = scopeOf('global', { file: '', line: 1, col: 1 });
  const whole: Outline = {
    ...{ global, wires: [], pools: [], hosts: [], classes: [], subclasses: [], scopes: [global], definitions: [] },
  };
  new Walk(whole, draft).all(statements, { scope: global });
  return whole;
}

/** Where a statement stands. */
type Standing = {
  readonly scope: Scope;
  readonly wire?: Wire;
  readonly pool?: Pool;
  readonly host?: Host;
  readonly machineClass?: MachineClass;
};

class Walk {
  readonly #whole: Outline;
  readonly #draft: SiteDraft;

  constructor(whole: Outline, draft: SiteDraft) {
    this.#whole = whole;
    this.#draft = draft;
  }

  all(statements: readonly Statement[], at: Standing): void {
    for (const statement of statements) this.#one(statement, at);
  }

  #one(statement: Statement, at: Standing): void {
    const { place } = statement;
    const whole = this.#whole;
    switch (statement.kind) {
      case 'group': {
        const scope = this.#open('group', place, at.scope, statement.name);
        this.all(statement.body, { ...at, scope });
        return;
      }
      case 'shared-network': {
        const scope = this.#open('shared-network', place, at.scope, statement.name);
        const wire: Wire = { name: statement.name, place, scope, subnets: [] };
        whole.wires.push(wire);
        this.all(statement.body, { ...at, scope, wire });
        return;
      }
      case 'subnet': {
        const scope = this.#open('subnet', place, at.scope, statement.base.text);
        const wire = at.wire ?? { place, scope, subnets: [] };
        if (at.wire === undefined) whole.wires.push(wire);
        wire.subnets.push({ statement, scope, wire });
        this.all(statement.body, { ...at, scope, wire });
        return;
      }
      case 'pool': {
        const scope = this.#open('pool', place, at.scope);
        if (at.wire === undefined) {
          this.#left(statement, 'a pool outside every network gives out nothing');
          return;
        }
        const pool: Pool = { place, scope, wire: at.wire, ranges: [], permits: [] };
        whole.pools.push(pool);
        this.all(statement.body, { ...at, scope, pool });
        return;
      }
      case 'host': {
        const scope = this.#open('host', place, at.scope, statement.name);
        const host: Host = { name: statement.name, place, scope, hardware: [] };
        whole.hosts.push(host);
        this.all(statement.body, { scope, host });
        return;
      }
      case 'class': {
        const scope = this.#open('class', place, at.scope, statement.name);
        const machineClass: MachineClass = { name: statement.name, place, scope, matches: [] };
        whole.classes.push(machineClass);
        this.all(statement.body, { scope, machineClass });
        return;
      }
      case 'subclass': {
        const scope = this.#open('class', place, at.scope, statement.of);
        whole.subclasses.push({ statement, scope });
        this.all(statement.body ?? [], { scope });
        return;
      }
      case 'option-definition':
      case 'option-space':
        whole.definitions.push(statement);
        return;
      case 'range':
        this.#range(statement, at);
        return;
      case 'hardware':
        if (at.host === undefined) {
          this.#left(statement, 'it stands in no host');
          return;
        }
        at.host.hardware.push(statement);
        return;
      case 'match':
        if (at.machineClass === undefined) {
          this.#left(statement, 'it stands in no class');
          return;
        }
        at.machineClass.matches.push(statement);
        return;
      case 'permit':
        this.#permit(statement, at);
        return;
      case 'if':
      case 'switch': {
        const branches = branchesOf(statement).map(({ condition, body }) => {
          const scope = scopeOf('branch', place, at.scope);
          this.all(body, { scope });
          return { scope, ...(condition === undefined ? {} : { condition }) };
        });
        at.scope.choices.push({ statement, ...withoutRest(branches, at.scope) });
        return;
      }
      case 'option':
        at.scope.set.set(`option ${statement.option.space}.${statement.option.name}`.toLowerCase(), statement);
        if (statement.how !== 'set') this.#tell(statement, fateOf(statement.how));
        return;
      case 'authoritative':
        at.scope.set.set('authoritative', statement);
        return;
      case 'parameter': {
        const fate = fateOf(statement.keyword);
        at.scope.set.set(statement.keyword, statement);
        this.#tell(statement, fate);
        return;
      }
      case 'foreign':
        this.#tell(statement, fateOf(statement.keyword));
        return;
      case 'action':
        this.#tell(statement, fateOf(statement.keyword));
        return;
      case 'on':
        this.#tell(statement, fateOf('on'));
        return;
      case 'spawn':
        this.#tell(statement, fateOf('spawn'));
        return;
      case 'lease-limit':
        this.#tell(statement, fateOf('lease'));
        return;
    }
  }

  #open(...about: Parameters<typeof scopeOf>): Scope {
    const scope = scopeOf(...about);
    this.#whole.scopes.push(scope);
    return scope;
  }

  #range(statement: StatementOf<'range'>, at: Standing): void {
    if (at.wire === undefined) {
      this.#left(statement, 'it stands in no network');
      return;
    }
    if (statement.bootp) {
      this.#draft.remark(
        'changed',
        statement.place,
        show(statement),
        'for DHCP clients only: of BOOTP, nodes with an address of their own are answered',
      );
    }
    if (at.pool !== undefined) {
      at.pool.ranges.push(statement);
      return;
    }
    const { place } = statement;
    this.#whole.pools.push({ place, scope: at.scope, wire: at.wire, ranges: [statement], permits: [] });
  }

  /** In a pool it says who may draw from it, elsewhere it is a setting of its scope. */
  #permit(statement: StatementOf<'permit'>, at: Standing): void {
    const { what } = statement;
    if (what.kind === 'flag') {
      at.scope.set.set(`allow ${what.flag}`, statement);
      this.#tell(statement, FLAGS.get(what.flag));
      return;
    }
    if (at.pool !== undefined) at.pool.permits.push(statement);
    else if (what.kind === 'unknown') at.scope.set.set('allow unknown-clients', statement);
    else if (what.kind === 'dynamic-bootp') this.#tell(statement, FLAGS.get('bootp'));
    else this.#left(statement, 'it only counts in a pool');
  }

  #tell(statement: Statement, fate: Fate | undefined): void {
    if (fate === undefined || fate === 'taken') return;
    if ('left' in fate) this.#left(statement, fate.left);
    else this.#draft.remark('changed', statement.place, show(statement), fate.changed);
  }

  #left(statement: Statement, why: string): void {
    this.#draft.remark('left', statement.place, show(statement), why);
  }
}

/**
 * In the scope of all clients what the last branch gives without a condition is simply given, unless another branch fits.
 * Only for the hosts of a group it stays a branch of its own.
 */
function withoutRest(branches: Choice['branches'], scope: Scope): Pick<Choice, 'branches' | 'otherwise'> {
  const rest = branches.at(-1);
  if (rest === undefined || rest.condition !== undefined || isOfHosts(scope)) return { branches };
  for (const [key, setting] of rest.scope.set) scope.set.set(key, setting);
  scope.choices.push(...rest.scope.choices);
  return { branches: branches.slice(0, -1), otherwise: rest.scope.set };
}

/** Whether what stands in the scope counts for some hosts, not for whole networks. */
export function isOfHosts({ kind }: Scope): boolean {
  return kind === 'group' || kind === 'host';
}

/** The branches of an `if`, or the cases of a `switch` as such. A case that does not break goes on with the next. */
function branchesOf(statement: StatementOf<'if' | 'switch'>): readonly Branch[] {
  if (statement.kind === 'if') return statement.branches;
  const { on, cases } = statement;
  return cases.map(({ is }, i) => {
    const body: Statement[] = [];
    for (const next of cases.slice(i)) {
      const end = next.body.findIndex((one) => one.kind === 'action' && one.keyword === 'break');
      body.push(...next.body.slice(0, end === -1 ? undefined : end));
      if (end !== -1) break;
    }
    if (is === undefined) return { body };
    return { condition: { kind: 'binary', op: '=', left: on, right: is, place: is.place }, body };
  });
}

function scopeOf(kind: Scope['kind'], place: Place, parent?: Scope, name?: string): Scope {
  return {
    ...{ kind, place, set: new Map(), choices: [] },
    ...(parent === undefined ? {} : { parent }),
    ...(name === undefined ? {} : { name }),
  };
}

/** The scope and those around it, innermost first. */
export function chainOf(scope: Scope): readonly Scope[] {
  const chain: Scope[] = [];
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) chain.push(at);
  return chain;
}

/** What counts in `scope`: the innermost setting of each kind, of all scopes around it that `counts` lets through. */
export function settingsIn(scope: Scope, counts: (scope: Scope) => boolean = () => true): ReadonlyMap<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const around of chainOf(scope).toReversed()) {
    if (!counts(around)) continue;
    for (const [key, setting] of around.set) {
      settings.delete(key);
      settings.set(key, setting);
    }
  }
  return settings;
}
