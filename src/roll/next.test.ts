import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { POLICIES } from '../model/rollNote.ts';
import { aborted, next, noted } from './next.ts';
import { isActive, isUnderWay, type Roll } from './record.ts';
import { aRoll } from './testing/fixture.ts';
import { type Behaviour, dice, World } from './testing/simulation.ts';

const BEHAVIOURS: readonly Behaviour[] = [
  'returns',
  'returns',
  'returns',
  'never returns',
  'boots the old image',
  'stays out of service',
  'is deaf',
  'hangs',
];

describe('a roll in a simulated rack', () => {
  it('keeps its promises whatever fails, and whenever the server is killed, and always ends', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer({ min: 0 }),
          behaviours: fc.array(fc.constantFrom(...BEHAVIOURS), { minLength: 1, maxLength: 6 }),
          policy: fc.constantFrom(...POLICIES),
          maxUnavailable: fc.integer({ min: 1, max: 3 }),
          failures: fc.integer({ min: 0, max: 2 }),
          keepPins: fc.boolean(),
          crashes: fc.boolean(),
          meddles: fc.boolean(),
        }),
        (of) => play(of),
      ),
      { numRuns: 250 },
    );
  });
});

type Game = {
  readonly seed: number;
  readonly behaviours: readonly Behaviour[];
  readonly policy: (typeof POLICIES)[number];
  readonly maxUnavailable: number;
  readonly failures: number;
  readonly keepPins: boolean;
  readonly crashes: boolean;
  readonly meddles: boolean;
};

/** Plays a roll to its end; throws where a promise is broken. */
function play({ seed, behaviours, policy, maxUnavailable, failures, keepPins, crashes, meddles }: Game): void {
  const chance = dice(seed);
  const world = new World(behaviours, policy, chance);
  let roll: Roll = aRoll(
    world.machines.map(({ name }) => name),
    { policy, maxUnavailable, failures, keepPins },
  );
  let meddling = meddles ? 12 : 0;
  for (let turns = 0; isActive(roll); turns++) {
    assert(turns < 20_000, `it does not end: ${JSON.stringify(roll)}`);
    world.pass(1000 + chance(chance(4) === 0 ? 120_000 : 6000));
    if (meddling > 0 && chance(6) === 0) {
      meddling--;
      roll = meddle(world, roll, chance);
    }
    if (meddling === 0) world.silent = false;
    const decided = next(roll, world.seen());
    // What is kept is what a new server would read.
    roll = JSON.parse(JSON.stringify(decided.roll)) as Roll;
    world.keep(decided.pins);
    for (const action of decided.actions) {
      if (crashes && chance(5) === 0) break;
      const failure = world.act(action);
      if (failure && !(crashes && chance(5) === 0)) roll = noted(roll, action, failure);
    }
    assert(world.outByUs().length <= maxUnavailable, `out of service: ${world.outByUs()}`);
  }
  const out = new Set(world.outByUs());
  for (const { node, phase, image } of roll.nodes) {
    const machine = world.machines.find(({ name }) => name === node);
    if (phase === 'done' || phase === 'skipped') assert.equal(machine?.boot.image, image, `${node} is ${phase}`);
    if (phase !== 'failed') assert(!out.has(node), `${node} is ${phase} and stays out of service`);
    assert(!isUnderWay({ phase }) && phase !== 'waiting');
  }
  assert(
    !world.guests.some(({ status, by, source }) => status === 'VERIFY_RESIZE' && by === 'us' && !out.has(source ?? '')),
  );
}

/** What operators and clouds do meanwhile. */
function meddle(world: World, roll: Roll, chance: (sides: number) => number): Roll {
  const machine = world.machines[chance(world.machines.length)];
  assert(machine);
  switch (chance(6)) {
    case 0:
      Object.assign(machine, { enabled: false, reason: 'bad DIMM' });
      return roll;
    case 1:
      machine.enabled = true;
      return roll;
    case 2:
      if (machine.compute) world.guest(machine.name);
      return roll;
    case 3:
      return chance(4) === 0 ? aborted(roll) : roll;
    default:
      world.silent = !world.silent;
      return roll;
  }
}
