import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../model/event.ts';
import { type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import { type Mac, macFromBytes } from '../model/mac.ts';
import { classOf, EVENT_LIMITS, EventBudget, type EventClass, type EventLimits } from './eventBudget.ts';

const mac = (n: number): Mac => macFromBytes(Uint8Array.of(2, 0, n >>> 24, n >> 16, n >> 8, n));
const ip = (n: number): Ipv4 => (0x0a000000 + n) as Ipv4;
const traffic = (more: object = {}): Event => ({ kind: 'dhcp.offer', stage: 'os', ip: ip(1), at: 0, ...more });
const step = (status: 'done' | 'failed', more: object = {}): Event => ({
  kind: 'node.step',
  code: 'files',
  status,
  at: 0,
  node: 'node01',
  ...more,
});
const refused = (more: object = {}): Event => ({ kind: 'dhcp.refused', reason: 'no pool', at: 0, ...more });

const admitted = (budget: EventBudget, events: readonly Event[], now = 0): number =>
  events.filter((event) => budget.admit(event, now)).length;
const times = (n: number, event: Event): Event[] => Array.from({ length: n }, () => event);

describe('the class of an event', () => {
  const table: readonly [Event, EventClass][] = [
    [traffic(), 'traffic'],
    [{ kind: 'http.sent', file: 'a', role: 'file', bytes: 1, ms: 1, at: 0 }, 'traffic'],
    [{ kind: 'tftp.missing', file: 'a', at: 0 }, 'traffic'],
    [{ kind: 'tftp.failed', file: 'a', bytes: 1, reason: '', at: 0 }, 'refusals'],
    [refused(), 'refusals'],
    [{ kind: 'dhcp.other-server', server: ip(1), at: 0 }, 'refusals'],
    [{ kind: 'dhcp.wrong-network', network: 'a', expected: 'b', at: 0 }, 'refusals'],
    [step('done'), 'steps'],
    [step('failed'), 'failures'],
    [{ kind: 'cloud.standing', standing: 'compute-down', node: 'a', at: 0 }, 'failures'],
    [{ kind: 'server.trouble', code: 'SERVER_FAILED', message: '', at: 0 }, 'server'],
    [{ kind: 'server.fault', service: 'dhcp', message: '', count: 1, at: 0 }, 'server'],
  ];
  for (const [event, expected] of table) {
    it(`${event.kind}${event.kind === 'node.step' ? ` ${event.status}` : ''}: ${expected}`, () =>
      assert.equal(classOf(event), expected));
  }
});

describe('the budget of events', () => {
  it('keeps all of a rack of a thousand nodes that boots', () => {
    const budget = new EventBudget(0);
    for (let n = 0; n < 150_000; n++) {
      const node = `node${n % 1000}`;
      const event =
        n % 3 === 0 ? step('done', { node }) : n % 3 === 1 ? traffic({ node }) : step('done', { node, step: 'b' });
      // 150 events each, over three minutes.
      assert(budget.admit(event, (n * 180_000) / 150_000), `event ${n}`);
    }
    assert.deepEqual(budget.takeLimited(180_000), []);
  });

  it('bounds one subject by number, and lets it go on at its rate', () => {
    const { events, eventsPerSecond } = EVENT_LIMITS.steps.each;
    const budget = new EventBudget(0);
    assert.equal(admitted(budget, times(10_000, step('done'))), events);
    assert.equal(admitted(budget, times(10_000, step('done')), 10_000), 10 * eventsPerSecond);
  });

  it('bounds one subject by bytes', () => {
    const budget = new EventBudget(0);
    const big = step('failed', { output: 'y'.repeat(8000) });
    const kept = admitted(budget, times(10_000, big));
    assert(kept > 10 && kept * 8000 <= EVENT_LIMITS.failures.each.bytes, `${kept} kept`);
  });

  it('keeps what is important of a node through a flood of its chatter, and other nodes through a flood of one', () => {
    const budget = new EventBudget(0);
    admitted(budget, [...times(50_000, traffic({ node: 'node01' })), ...times(50_000, step('done'))]);
    assert(budget.admit(step('failed'), 0));
    assert(budget.admit(refused({ node: 'node01' }), 0));
    assert(budget.admit(step('done', { node: 'node02' }), 0));
    // Refusals that any sender can cause in the node's name do not displace reports of its agent.
    admitted(budget, times(50_000, refused({ node: 'node01' })));
    assert(budget.admit(step('failed'), 0));
    assert(budget.admit({ kind: 'server.started', at: 0 }, 0));
  });

  it('bounds made-up subjects together, without limiting the nodes', () => {
    const budget = new EventBudget(0);
    let kept = 0;
    for (let n = 0; n < 200_000; n++) {
      if (budget.admit({ kind: 'tftp.missing', file: 'x', at: 0, ip: ip(n) }, 0)) kept++;
      if (budget.admit(traffic({ mac: mac(n) }), 0)) kept++;
    }
    assert.equal(kept, EVENT_LIMITS.traffic.all.events);
    assert(budget.admit(traffic({ node: 'node01' }), 0));
  });

  it('reports each subject at once and then once a minute, with all that was not kept', () => {
    const budget = new EventBudget(0);
    const { events, eventsPerSecond } = EVENT_LIMITS.steps.each;
    const flood = (now: number) => admitted(budget, times(1000, step('done')), now);
    flood(0);
    assert.deepEqual(budget.takeLimited(0), [
      { kind: 'events.limited', subject: 'node01', node: 'node01', count: 1000 - events },
    ]);
    flood(30_000);
    flood(59_000);
    assert.deepEqual(budget.takeLimited(59_999), []);
    const kept = 59 * eventsPerSecond;
    assert.deepEqual(budget.takeLimited(60_000), [
      { kind: 'events.limited', subject: 'node01', node: 'node01', count: 2000 - kept },
    ]);
    assert.deepEqual(budget.takeLimited(500_000), []);
  });

  it('reports few where many are limited, and loses none from the count', () => {
    const tiny = { events: 0, eventsPerSecond: 0, bytes: 0, bytesPerSecond: 0 };
    const limits: EventLimits = { ...EVENT_LIMITS, traffic: { each: tiny, all: tiny } };
    const budget = new EventBudget(0, limits);
    for (let n = 0; n < 50_000; n++) budget.admit(traffic({ mac: mac(n), ip: parseIpv4('10.0.0.1') }), 0);
    let reported = 0;
    let count = 0;
    let others = 0;
    for (let minute = 0; minute < 400; minute++) {
      const happenings = budget.takeLimited(minute * 60_000);
      assert(happenings.length <= 32);
      for (const one of happenings) {
        assert(one.kind === 'events.limited');
        reported++;
        count += one.count;
        if (one.subject === '*') others += one.count;
      }
    }
    assert.equal(count, 50_000);
    assert(reported > 2048 && reported <= 4097, `${reported} reported`);
    assert.equal(others, 50_000 - (reported - 1));
  });

  it('never keeps more than its bounds, whatever events come and however the clock steps', () => {
    const each = { events: 5, eventsPerSecond: 1, bytes: 2000, bytesPerSecond: 100 };
    const all = { events: 12, eventsPerSecond: 2, bytes: 4000, bytesPerSecond: 150 };
    const one = { each, all };
    const limits: EventLimits = { traffic: one, refusals: one, steps: one, failures: one, server: one, changes: one };
    const someEvent = fc.record({
      class: fc.constantFrom<EventClass>('traffic', 'refusals', 'steps', 'failures'),
      who: fc.integer({ min: 0, max: 5 }),
      node: fc.boolean(),
      text: fc.string({ maxLength: 900, unit: 'binary' }),
      wait: fc.oneof(fc.constant(0), fc.integer({ min: -2000, max: 5000 })),
    });
    fc.assert(
      fc.property(fc.array(someEvent, { maxLength: 200 }), (given) => {
        const budget = new EventBudget(0, limits);
        const kept = new Map<string, { events: number; bytes: number }>();
        let now = 0;
        let furthest = 0;
        let refusedCount = 0;
        for (const { class: which, who, node, text, wait } of given) {
          now += wait;
          furthest = Math.max(furthest, now);
          const subject = node ? { node: `node${who}` } : { mac: mac(who) };
          const event =
            which === 'traffic'
              ? traffic({ ...subject, hostname: text })
              : which === 'refusals'
                ? refused({ ...subject, reason: text })
                : step(which === 'steps' ? 'done' : 'failed', { node: undefined, ...subject, detail: text });
          if (!budget.admit(event, now)) {
            refusedCount++;
            continue;
          }
          const bytes = Buffer.byteLength(JSON.stringify(event));
          for (const [key, bound] of [
            [`${which} ${node} ${who}`, each],
            [`${which} ${node}`, all],
          ] as const) {
            const sum = kept.get(key) ?? { events: 0, bytes: 0 };
            kept.set(key, sum);
            sum.events++;
            sum.bytes += bytes;
            const seconds = furthest / 1000;
            assert(sum.events <= bound.events + seconds * bound.eventsPerSecond + 1e-6, `${key}: ${sum.events} events`);
            assert(sum.bytes <= bound.bytes + seconds * bound.bytesPerSecond + 1e-6, `${key}: ${sum.bytes} bytes`);
          }
        }
        const limited = budget.takeLimited(furthest + 120_000);
        assert.equal(
          limited.reduce((sum, happening) => sum + (happening.kind === 'events.limited' ? happening.count : 0), 0),
          refusedCount,
        );
      }),
    );
  });
});
