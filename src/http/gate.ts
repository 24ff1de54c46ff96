import type { ApiTokens, TokenShown } from '../access/apiTokens.ts';
import { suffices } from '../access/role.ts';
import { type ErrorCode, ReveilleError } from '../errors.ts';
import { type FaultSink, guarded } from '../faults.ts';
import type { EventSink } from '../model/event.ts';
import { Tallies } from '../timeline/tallies.ts';
import type { Asked, Caller, Change, Cuttable, Door } from './caller.ts';
import type { Contract } from './contracts/contract.ts';
import { Rates } from './rates.ts';
import { tooMany } from './refused.ts';

export type GateFrom = {
  readonly tokens: Pick<ApiTokens, 'find' | 'isInForce'>;
  readonly emit: EventSink;
  readonly faulted: FaultSink;
};

/** A page that opens asks some twenty times; a script that goes through a rack, a few times a second. */
const OF_ADDRESS = { burst: 200, perSecond: 50 };
const OF_TOKEN = { burst: 200, perSecond: 50 };
const FAILURES = { burst: 5, perSecond: 1 / 10 };
const MOST_ADDRESSES = 4096;
const MOST_TOKENS = 1024;
/** How soon a token that was revoked or has expired ends the answers that were begun with it. */
const LOOK_MS = 1000;
const LONGEST_VALUES = 2000;

type Refusal = { readonly code: ErrorCode; readonly actor?: string; readonly operation?: string };

/**
 * Lets requests of the operators' API in by their tokens: how often an address and a token may ask, which role a route needs. Addresses that
 * present unknown tokens are slowed. Answers end with the token that they were begun with. Changes and refusals become events.
 */
export class Gate implements Door, Disposable {
  readonly #from: GateFrom;
  readonly #ofAddress = new Rates(OF_ADDRESS, MOST_ADDRESSES);
  readonly #ofToken = new Rates(OF_TOKEN, MOST_TOKENS);
  readonly #failures = new Rates(FAILURES, MOST_ADDRESSES);
  readonly #refusals: Tallies<Refusal>;
  readonly #answers = new Map<Cuttable, TokenShown>();
  readonly #tokenOf = new WeakMap<Caller, TokenShown>();
  readonly #timer: NodeJS.Timeout;
  #requests = 0;
  #refused = 0;

  constructor(from: GateFrom) {
    this.#from = from;
    this.#refusals = new Tallies((address, count, { code, ...more }) =>
      from.emit({ kind: 'audit.refused', from: address ?? 'other addresses', code, count, ...more }),
    );
    this.#timer = setInterval(
      guarded(from.faulted, () => this.#endVoid()),
      LOOK_MS,
    ).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#refusals.close();
  }

  /** Requests since the start, and those of them that were refused here. */
  gauges(): { readonly requests: number; readonly refused: number } {
    return { requests: this.#requests, refused: this.#refused };
  }

  /** Throws TOKEN_REFUSED, ROLE_LACKING, TOO_MANY_REQUESTS, STATE_UNAVAILABLE. */
  readonly admit: Door['admit'] = ({ authorization, address }, contract) => {
    this.#requests++;
    try {
      return this.#admit({ authorization, address: plainAddress(address) }, contract);
    } catch (error) {
      this.#refused++;
      throw error;
    }
  };

  readonly began = (caller: Caller, answer: Cuttable): void => {
    const token = this.#tokenOf.get(caller);
    if (token === undefined) return;
    this.#answers.set(answer, token);
    answer.once('close', () => this.#answers.delete(answer));
  };

  readonly changed = (change: Change): void => this.#from.emit(auditEvent(change));

  #admit({ authorization, address }: Asked, contract: Pick<Contract, 'role' | 'operation'> | undefined): Caller | null {
    const machine = machineOf(address);
    const wait = this.#ofAddress.take(machine);
    if (wait > 0) throw tooMany(`${address} asks too often`, wait);
    if (contract === undefined || contract.role === 'open') return null;
    const { operation } = contract;
    const [, text] = /^Bearer +([^ ]+) *$/i.exec(authorization ?? '') ?? [];
    if (text === undefined) throw new ReveilleError('TOKEN_REFUSED', 'the request brings no token', { hint: HINT });
    const token = this.#from.tokens.find(text);
    if (token === undefined || token.expired) {
      this.#refusals.note(address, { code: 'TOKEN_REFUSED', operation });
      const slowed = this.#failures.take(machine);
      if (slowed > 0) throw tooMany('too many unknown tokens came from this address', slowed);
      throw new ReveilleError('TOKEN_REFUSED', 'the token is not known, has expired or was revoked', { hint: HINT });
    }
    const { name, role } = token;
    const pause = this.#ofToken.take(name);
    if (pause > 0) throw tooMany(`the token ${name} is used too often`, pause);
    if (!suffices(role, contract.role)) {
      this.#refusals.note(address, { code: 'ROLE_LACKING', actor: name, operation });
      throw new ReveilleError('ROLE_LACKING', `this needs the role ${contract.role}; the token ${name} is a ${role}'s`);
    }
    const caller: Caller = { name, role, from: address };
    this.#tokenOf.set(caller, token);
    return caller;
  }

  #endVoid(): void {
    for (const [answer, token] of this.#answers) if (!this.#from.tokens.isInForce(token)) answer.destroy();
  }
}

const HINT = 'Authorization: Bearer TOKEN; make one with: reveille token create NAME --role viewer';

/** A change as an event. */
export function auditEvent({ caller: { name, role, from }, operation, values, outcome }: Change) {
  const text = JSON.stringify(values).slice(0, LONGEST_VALUES);
  return { kind: 'audit.change', actor: name, role, operation, values: text, from, outcome } as const;
}

/** IPv4 addresses are the same whether they come by IPv6 or not. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=[0-9.]+$)/i, '');
}

/** What counts as one machine: of IPv6, all addresses of a /64. */
export function machineOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  return `${[...first, ...Array<string>(zeros).fill('0'), ...last].slice(0, 4).join(':')}::/64`;
}
