import type { Place } from '../../../errors.ts';
import type { SiteDraft, Weight } from '../../draft.ts';
import { reason, type Why } from '../../reason.ts';
import { branchesOf, simplified } from '../text/branches.ts';
import { isOn } from '../text/forms.ts';
import { keyOf, type Setting } from '../text/keys.ts';
import { show } from '../text/show.ts';
import { BOOTP_ALLOWED, FLAGS, PARAMETERS, type Treatment, treatmentOf } from '../text/statements.ts';
import type { Expression, Statement, StatementOf } from '../text/tree.ts';
import { lineSeenFrom } from './comments.ts';
import { wordOf } from './words.ts';

export type { Setting } from '../text/keys.ts';

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
  /** What its scope says before it. */
  readonly before: ReadonlyMap<string, Setting>;
};

/** The wire of a shared network, or of a subnet that shares it with none. */
export type Wire = {
  readonly name?: string;
  readonly place: Place;
  readonly scope: Scope;
  readonly subnets: Subnet[];
  readonly statement?: Statement;
};
/** `wires`: of a subnet that is declared several times, those of all its declarations. */
export type Subnet = {
  readonly statement: StatementOf<'subnet'>;
  readonly scope: Scope;
  wire: Wire;
  readonly wires: Wire[];
};
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
  /** Every setting that was not reported yet, with the scope in which it stands. */
  readonly stated: { readonly setting: Setting; readonly scope: Scope }[];
  /** Settings in whose place another of their block counts, for some clients or for all. */
  readonly replaced: Set<Setting>;
};

/**
 * Sorts the statements of a configuration by what they declare and where they count. What has no part in a site is
 * reported in the draft's remarks.
 */
export function outline(statements: readonly Statement[], draft: SiteDraft): Outline {
  const global = scopeOf('global', { file: '', line: 1, col: 1 });
  const whole: Outline = {
    ...{
      global,
      wires: [],
      pools: [],
      hosts: [],
      classes: [],
      subclasses: [],
      scopes: [global],
      definitions: [],
      stated: [],
      replaced: new Set(),
    },
  };
  new Walk(whole, draft).all(statements, { scope: global });
  return whole;
}

/** Where a statement stands. */
type Position = {
  readonly scope: Scope;
  readonly wire?: Wire;
  readonly pool?: Pool;
  readonly host?: Host;
  readonly machineClass?: MachineClass;
};

class Walk {
  readonly #whole: Outline;
  /** Subnets by address and netmask as they are written. */
  readonly #subnets = new Map<string, Subnet>();
  readonly #draft: SiteDraft;

  constructor(whole: Outline, draft: SiteDraft) {
    this.#whole = whole;
    this.#draft = draft;
  }

  all(statements: readonly Statement[], at: Position): void {
    for (const statement of statements) this.#one(statement, at);
  }

  #one(statement: Statement, at: Position): void {
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
        const wire: Wire = { name: statement.name, place, scope, subnets: [], statement };
        whole.wires.push(wire);
        this.all(statement.body, { ...at, scope, wire });
        return;
      }
      case 'subnet':
        this.#subnet(statement, at);
        return;
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
        // What is declared again goes on with the same class.
        const known = whole.classes.find(({ name }) => name === statement.name);
        const scope = known?.scope ?? this.#open('class', place, at.scope, statement.name);
        const machineClass: MachineClass = known ?? { name: statement.name, place, scope, matches: [] };
        if (known === undefined) whole.classes.push(machineClass);
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
      case 'switch':
        this.#choice(statement, at.scope);
        return;
      case 'option':
        if (statement.option.space.toLowerCase() === 'server' && PARAMETERS.has(statement.option.name.toLowerCase())) {
          const { name } = statement.option;
          this.#one({ kind: 'parameter', keyword: name.toLowerCase(), value: statement.value, place }, at);
          return;
        }
        this.#set(statement, at.scope);
        if (statement.how !== 'set') this.#tell(statement, treatmentOf(statement.how));
        return;
      case 'authoritative':
        this.#set(statement, at.scope);
        return;
      case 'parameter': {
        const treatment = ofValue(statement, treatmentOf(statement.keyword));
        if (treatment === 'taken' || LOOKED_AT.has(statement.keyword)) this.#set(statement, at.scope);
        this.#tell(statement, treatment);
        return;
      }
      case 'lone': {
        const why = 'dhcpd has no such statement, and takes no notice of it';
        this.#left(statement, statement.hint === undefined ? why : reason`${why}: ${statement.hint}`, 'server');
        return;
      }
      case 'foreign':
        this.#tell(statement, treatmentOf(statement.keyword));
        return;
      case 'action':
        this.#tell(statement, treatmentOf(statement.keyword));
        return;
      case 'on':
        this.#tell(statement, treatmentOf('on'));
        return;
      case 'spawn':
        this.#tell(statement, treatmentOf('spawn'));
        return;
      case 'lease-limit':
        this.#tell(statement, treatmentOf('lease'));
        return;
    }
  }

  #open(...about: Parameters<typeof scopeOf>): Scope {
    const scope = scopeOf(...about);
    this.#whole.scopes.push(scope);
    return scope;
  }

  /** A subnet that is declared again goes on with the same scope; one in a shared network takes the wire of that. */
  #subnet(statement: StatementOf<'subnet'>, at: Position): void {
    const { place, base, netmask } = statement;
    const { wires } = this.#whole;
    const key = `${base.text} ${netmask.text}`;
    const known = this.#subnets.get(key);
    if (known !== undefined) {
      const why = reason`it is declared in ${lineSeenFrom(place, known.statement.place)} too: the two are one network`;
      this.#draft.remark('changed', place, show(statement), why);
      if (at.wire !== undefined && known.wire.name === undefined) {
        wires.splice(wires.indexOf(known.wire), 1);
        known.wire = at.wire;
        at.wire.subnets.push(known);
      }
      if (at.wire !== undefined) known.wires.push(at.wire);
      this.all(statement.body, { ...at, scope: known.scope, wire: known.wire });
      return;
    }
    const scope = this.#open('subnet', place, at.scope, base.text);
    const wire = at.wire ?? { place, scope, subnets: [] };
    if (at.wire === undefined) wires.push(wire);
    const subnet: Subnet = { statement, scope, wire, wires: [wire] };
    this.#subnets.set(key, subnet);
    wire.subnets.push(subnet);
    this.all(statement.body, { ...at, scope, wire });
  }

  #choice(statement: StatementOf<'if' | 'switch'>, scope: Scope): void {
    const before = new Map(scope.set);
    const branches = simplified(branchesOf(statement), before).map(({ condition, body }) => {
      const branch = scopeOf('branch', condition?.place ?? statement.place, scope);
      this.all(body, { scope: branch });
      return { scope: branch, ...(condition === undefined ? {} : { condition }) };
    });
    const rest = branches.at(-1);
    if (rest === undefined || rest.condition !== undefined || isOfHosts(scope)) {
      scope.choices.push({ statement, branches, before });
      return;
    }
    // In the scope of all clients what the last branch gives without a condition is simply given, unless another branch fits.
    // Only for the hosts of a group it stays a branch of its own.
    for (const [key, setting] of rest.scope.set) {
      const decides = branches.every((branch) => branch.scope.set.has(key));
      this.#put(key, setting, scope, decides ? scope.choices : []);
    }
    // What it chooses further counts for those who fit no other branch: the others go before it.
    scope.choices.push(...rest.scope.choices, {
      statement,
      branches: branches.slice(0, -1),
      otherwise: rest.scope.set,
      before,
    });
  }

  /** Gives something a value in a scope, in place of what stood there before. */
  #set(setting: Setting, scope: Scope): void {
    const key = keyOf(setting);
    if (key === undefined) return;
    this.#whole.stated.push({ setting, scope });
    this.#put(key, setting, scope, scope.choices);
  }

  #put(key: string, setting: Setting, scope: Scope, replaced: readonly Choice[]): void {
    const earlier = scope.set.get(key);
    if (earlier !== undefined && earlier !== setting) this.#whole.replaced.add(earlier);
    scope.set.set(key, setting);
    const forget = ({ branches }: Choice): void => {
      for (const branch of branches) {
        const given = branch.scope.set.get(key);
        if (given !== undefined) this.#whole.replaced.add(given);
        branch.scope.set.delete(key);
        branch.scope.choices.forEach(forget);
      }
    };
    replaced.forEach(forget);
  }

  #range(statement: StatementOf<'range'>, at: Position): void {
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
  #permit(statement: StatementOf<'permit'>, at: Position): void {
    const { what } = statement;
    if (what.kind === 'flag') {
      const isUsual = what.flag === 'bootp' && statement.verb === 'allow';
      const treatment = isUsual ? BOOTP_ALLOWED : FLAGS.get(what.flag);
      if (treatment === 'taken') this.#set(statement, at.scope);
      this.#tell(statement, treatment);
      return;
    }
    if (at.pool !== undefined) at.pool.permits.push(statement);
    else if (what.kind === 'unknown') this.#set(statement, at.scope);
    else if (what.kind === 'dynamic-bootp') this.#tell(statement, FLAGS.get('bootp'));
    else this.#left(statement, 'it only counts in a pool');
  }

  #tell(statement: Statement, treatment: Treatment | undefined): void {
    if (treatment === undefined || treatment === 'taken') return;
    const { weight } = treatment;
    if ('left' in treatment) this.#left(statement, treatment.left, weight);
    else this.#draft.remark('changed', statement.place, show(statement), treatment.changed, weight && { weight });
  }

  #left(statement: Statement, why: Why, weight?: Weight): void {
    this.#draft.remark('left', statement.place, show(statement), why, weight && { weight });
  }
}

/** Parameters that are reported and looked at all the same. */
const LOOKED_AT: ReadonlySet<string> = new Set(['uid', 'group']);

/** A flag that is switched off changes nothing for any client. */
function ofValue(statement: StatementOf<'parameter'>, treatment: Treatment | undefined): Treatment | undefined {
  if (treatment === undefined || treatment === 'taken' || PARAMETERS.get(statement.keyword)?.form !== 'flag')
    return treatment;
  return isOn(wordOf(statement) ?? '') === false ? { weight: 'server', ...treatment } : treatment;
}

/** Whether what stands in the scope counts for some hosts, not for whole networks. */
export function isOfHosts({ kind }: Scope): boolean {
  return kind === 'group' || kind === 'host';
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
