import assert from 'node:assert/strict';
import type { Instance } from '../../cloud/instances.ts';
import type { Policy } from '../../model/rollNote.ts';
import type { Action, Failure } from '../actions.ts';
import { isOurReason, type PinChanges } from '../record.ts';
import type { Seen, SeenInCloud, SeenNode } from '../seen.ts';
import { NEW_IMAGE, OLD_IMAGE } from './fixture.ts';

/** What a simulated node does once it is ordered to reboot. */
export type Behaviour =
  | 'returns'
  | 'never returns'
  | 'boots the old image'
  | 'stays out of service'
  | 'is deaf'
  | 'hangs';

type SimulatedMachine = {
  name: string;
  compute: boolean;
  behaviour: Behaviour;
  boot: { startedAt: number; readyAt: number; image: string };
  /** It took our order and has not been ready since. */
  downByUs: boolean;
  enabled: boolean;
  reason: string | undefined;
  /** It took an order to reboot and did nothing since. */
  hangs: boolean;
  /** How its BMC follows orders, where it has one. */
  bmc: 'works' | 'refuses' | 'is silent' | undefined;
};

type Guest = Instance & {
  host: string;
  by: 'us' | undefined;
  source?: string;
  ends?: number;
  movesLive: boolean;
  movesCold: boolean;
};

/** A die that gives the same numbers for the same seed. */
export function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return (state >>> 8) % sides;
  };
}

function failure(refused: boolean, message: string): Failure {
  return { refused, why: { code: 'error', error: 'CLOUD_REFUSED', message } };
}

/** A simulated rack with a cloud: it follows orders, late, wrong or not at all, and checks what must never be. */
export class World {
  now = 1_000_000;
  silent = false;
  readonly machines: SimulatedMachine[];
  readonly guests: Guest[] = [];
  readonly pins = new Map<string, string>();
  readonly #policy: Policy;
  readonly #roll: (sides: number) => number;

  constructor(behaviours: readonly Behaviour[], policy: Policy, roll: (sides: number) => number) {
    this.#roll = roll;
    this.#policy = policy;
    this.machines = behaviours.map((behaviour, i) => ({
      name: `node${i + 1}`,
      compute: roll(5) > 0,
      behaviour,
      boot: { startedAt: 1000, readyAt: 2000, image: roll(6) === 0 ? NEW_IMAGE : OLD_IMAGE },
      downByUs: false,
      enabled: roll(5) > 0,
      reason: 'bad DIMM',
      hangs: false,
      bmc: ([undefined, 'works', 'works', 'refuses', 'is silent'] as const)[roll(5)],
    }));
    for (const { name, compute } of this.machines) {
      for (let i = roll(4); compute && i > 0; i--) this.guest(name);
    }
  }

  /** An instance more, which may not let itself be moved. */
  guest(host: string): void {
    const status = ['ACTIVE', 'ACTIVE', 'PAUSED', 'SHUTOFF', 'ERROR'][this.#roll(5)] ?? 'ACTIVE';
    const name = `vm${this.guests.length}`;
    const [movesLive, movesCold] = [this.#roll(4) > 0, this.#roll(4) > 0];
    this.guests.push({ id: name, name, host, status, by: undefined, movesLive, movesCold });
  }

  pass(ms: number): void {
    this.now += ms;
    for (const guest of this.guests) {
      if (guest.ends === undefined || guest.ends > this.now) continue;
      this.#arrive(guest);
    }
    for (const machine of this.machines) if (this.#isUp(machine) && this.#inService(machine)) machine.downByUs = false;
  }

  seen(): Seen {
    return { now: this.now, nodes: new Map(this.machines.map((one) => [one.name, this.#seenNode(one)])) };
  }

  keep(pins: PinChanges): void {
    for (const [node, image] of pins) image === null ? this.pins.delete(node) : this.pins.set(node, image);
  }

  /** Does an action, or gives the reason why not. */
  act(action: Action): Failure | undefined {
    const machine = this.machines.find(({ name }) => name === action.node);
    assert(machine);
    if (this.silent || this.#roll(12) === 0) return failure(false, 'no answer');
    switch (action.kind) {
      case 'disable':
        if (machine.enabled) Object.assign(machine, { enabled: false, reason: action.reason });
        return undefined;
      case 'enable':
        assert(machine.enabled || isOurReason(machine.reason), `${machine.name} was disabled by an operator`);
        machine.enabled = true;
        return undefined;
      case 'reboot':
        if (machine.behaviour === 'is deaf') return { refused: true, why: { code: 'order-untaken' } };
        assert(this.#isUp(machine), 'a node that boots takes no orders');
        this.#reboot(machine, machine.behaviour === 'hangs');
        return undefined;
      case 'power-cycle':
        assert(machine.bmc, `${machine.name} has no BMC`);
        if (machine.bmc === 'refuses') return failure(true, 'wrong password');
        if (machine.bmc === 'works' || this.#roll(2) === 0) this.#reboot(machine, false);
        return machine.bmc === 'works' ? undefined : failure(false, 'no answer');
      default: {
        const guest = this.guests.find(({ id }) => id === action.instance);
        assert(guest);
        return this.#move(guest, action.kind);
      }
    }
  }

  /** Nodes that are out of service by our doing. */
  outByUs(): readonly string[] {
    const isOut = (one: SimulatedMachine) => one.downByUs || (one.compute && !one.enabled && isOurReason(one.reason));
    return this.machines.filter(isOut).map(({ name }) => name);
  }

  #reboot(machine: SimulatedMachine, hangs: boolean): void {
    const here = this.guests.filter(
      ({ host, source, status }) => host === machine.name || (source === machine.name && status === 'VERIFY_RESIZE'),
    );
    if (this.#policy !== 'leave') assert.deepEqual(here, [], `${machine.name} is rebooted with instances`);
    else assert(!here.some(({ task }) => task !== undefined), 'none is on its way');
    assert.equal(this.pins.get(machine.name), NEW_IMAGE, 'it is pinned before it is rebooted');
    machine.downByUs = true;
    machine.hangs = hangs;
    if (hangs) return;
    const image =
      machine.behaviour === 'boots the old image' ? OLD_IMAGE : (this.pins.get(machine.name) ?? 'c'.repeat(64));
    const readyAt =
      machine.behaviour === 'never returns' ? Number.POSITIVE_INFINITY : this.now + 5000 + this.#roll(200_000);
    machine.boot = { startedAt: this.now + 1 + this.#roll(4000), readyAt, image };
  }

  #move(guest: Guest, kind: 'migrate-live' | 'migrate-cold' | 'confirm'): Failure | undefined {
    const isThere = kind !== 'confirm' || guest.status === 'VERIFY_RESIZE';
    if (guest.task !== undefined || !isThere) return failure(true, 'it is in another state');
    const source = this.machines.find(({ name }) => name === (kind === 'confirm' ? guest.source : guest.host));
    assert(source);
    if (!this.#isUp(source)) return failure(true, 'its host is down');
    if (kind === 'confirm') {
      assert.equal(guest.by, 'us', 'what an operator resized is not ours to confirm');
      Object.assign(guest, { status: 'ACTIVE', source: undefined, by: undefined });
      return undefined;
    }
    const live = kind === 'migrate-live';
    if (!(live ? ['ACTIVE', 'PAUSED'] : ['ACTIVE', 'SHUTOFF']).includes(guest.status)) {
      return failure(true, `it is ${guest.status}`);
    }
    Object.assign(guest, {
      task: live ? 'migrating' : 'resize_migrating',
      ends: this.now + this.#roll(90_000),
      by: 'us',
    });
    return undefined;
  }

  #arrive(guest: Guest): void {
    const live = guest.task === 'migrating';
    const target = this.machines.find(
      (one) => one.compute && one.enabled && this.#isUp(one) && one.name !== guest.host,
    );
    const moves = live ? guest.movesLive : guest.movesCold;
    const source = guest.host;
    delete (guest as { task?: string }).task;
    delete guest.ends;
    if (!target || !moves) return;
    guest.host = target.name;
    if (!live) Object.assign(guest, { status: 'VERIFY_RESIZE', source });
  }

  #isUp({ boot, hangs }: SimulatedMachine): boolean {
    return boot.readyAt <= this.now && !hangs;
  }

  #inService({ compute, behaviour, boot }: SimulatedMachine): boolean {
    return !compute || behaviour !== 'stays out of service' || boot.startedAt === 1000;
  }

  #seenNode(machine: SimulatedMachine): SeenNode {
    const { boot, behaviour } = machine;
    const up = this.#isUp(machine);
    const begun = boot.startedAt <= this.now;
    return {
      ...(begun
        ? {
            boot: {
              startedAt: boot.startedAt,
              state: boot.readyAt <= this.now ? 'ready' : 'booting',
              image: boot.image,
            } as const,
          }
        : {}),
      listens: up && behaviour !== 'is deaf',
      bmc: machine.bmc !== undefined,
      files: 'right',
      cloud: this.#seenInCloud(machine, up),
    };
  }

  #seenInCloud(machine: SimulatedMachine, up: boolean): SeenInCloud {
    if (!machine.compute) return { kind: 'none' };
    if (this.silent) return { kind: 'unknown', message: 'no answer' };
    const { name, enabled, reason } = machine;
    const missing = { standing: 'compute-report', node: name } as const;
    return {
      kind: 'seen',
      service: { id: name, host: name, up, enabled, ...(enabled || !reason ? {} : { disabledReason: reason }) },
      ...(up ? { standing: this.#inService(machine) ? { standing: 'in-service', node: name, enabled } : missing } : {}),
      instances: this.guests.filter(({ host }) => host === name).map((guest) => ({ ...guest })),
      moved: new Map(this.guests.map((guest) => [guest.id, { ...guest }])),
    };
  }
}
