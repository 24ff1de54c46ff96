import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Event, Happening } from '../model/event.ts';
import type { Mac } from '../model/mac.ts';
import { EventBus } from './bus.ts';
import { EventIds } from './eventIds.ts';
import { rememberedTimeline, Timeline } from './timeline.ts';

const unexpected = (error: unknown): never => assert.fail(String(error));
const MAC = '52:54:00:00:00:51' as Mac;

describe('the bus', () => {
  it('stamps the time and an id, fills in the node and calls every listener until it stops listening', () => {
    const heard: Event[] = [];
    const bus = new EventBus({
      ids: new EventIds(),
      identify: (event) => (event.mac === MAC ? { ...event, node: 'node01' } : event),
      faulted: unexpected,
      now: () => 1234,
    });
    const stop = bus.subscribe((event) => heard.push(event));
    bus.emit({ kind: 'dhcp.discover', stage: 'os', mac: MAC });
    stop();
    bus.emit({ kind: 'server.started' });
    const id = 1_234_000;
    assert.deepEqual(heard, [{ kind: 'dhcp.discover', stage: 'os', mac: MAC, node: 'node01', at: 1234, id }]);
    assert.equal(bus.emitted, 2);
  });

  it('goes on when a listener or what names the node throws, and hands the exception on', () => {
    const faults: string[] = [];
    const bus = new EventBus({
      ids: new EventIds(),
      identify: () => {
        throw new Error('unnamed');
      },
      faulted: (error) => faults.push(String(error)),
    });
    let heard = 0;
    bus.subscribe(() => {
      throw new Error('broken');
    });
    bus.subscribe(() => heard++);
    bus.emit({ kind: 'server.started' });
    assert.equal(heard, 1);
    assert.deepEqual(faults, ['Error: unnamed', 'Error: broken']);
  });

  it('ends a loop of events about a listener that fails on them', () => {
    let faults = 0;
    const bus = new EventBus({
      ids: new EventIds(),
      identify: (event) => event,
      faulted: () => {
        faults++;
        bus.emit({ kind: 'server.trouble', code: 'SERVER_FAILED', message: `${faults}` });
      },
    });
    bus.subscribe(() => {
      throw new Error('broken');
    });
    bus.emit({ kind: 'server.started' });
    assert(faults < 10);
    bus.emit({ kind: 'server.started' });
    assert(faults >= 2);
  });

  it('cuts texts and lists that are too long, the end of an output and the beginning of all else', () => {
    const heard: Event[] = [];
    const bus = new EventBus({ ids: new EventIds(), identify: (event) => event, faulted: unexpected, now: () => 1 });
    bus.subscribe((event) => heard.push(event));
    const long = `begin ${'\u{1f600}'.repeat(50_000)} end`;
    const short: Happening = {
      kind: 'node.step',
      code: 'other',
      subject: 'a',
      status: 'failed',
      detail: 'b',
      output: 'c',
    };
    bus.emit(short);
    bus.emit({ ...short, detail: long, output: long });
    bus.emit({ kind: 'dhcp.discover', stage: 'os', machine: { hostname: long } });
    bus.emit({ kind: 'site.rejected', errors: Array.from({ length: 5000 }, () => long) });
    assert.deepEqual(heard[0], { ...short, at: 1, id: 1000 });
    assert.deepEqual(
      heard.map((event) => JSON.stringify(event).length < 1_000_000),
      [true, true, true, true],
    );
    const [, step, asks, site] = heard;
    assert(step?.kind === 'node.step' && asks?.kind === 'dhcp.discover' && site?.kind === 'site.rejected');
    assert.match(step.detail ?? '', /^begin .*\[\.\.\.\]$/u);
    assert.match(step.output ?? '', /^\[\.\.\.\].* end$/u);
    assert((step.output?.length ?? 0) <= 8192 && step.output?.isWellFormed());
    assert.equal(asks.machine?.hostname?.length, 4096);
    assert.equal(site.errors.length, 100);
  });
});

describe('the timeline', () => {
  it('keeps the newest boots of a node, newest first', () => {
    const timeline = new Timeline();
    for (let i = 0; i < 15; i++) {
      timeline.see({ kind: 'dhcp.discover', stage: 'ipxe', node: 'node01', at: i * 2 });
      timeline.see({ kind: 'node.step', code: 'ready', status: 'done', node: 'node01', at: i * 2 + 1 });
    }
    assert.equal(timeline.boots('node01').length, 10);
    assert.equal(timeline.boots('node01')[0]?.startedAt, 28);
    assert.deepEqual(timeline.boots('node02'), []);
  });

  it('is the same again when only the boots and the newest events are left', async () => {
    const events: Event[] = [
      { kind: 'dhcp.discover', stage: 'ipxe', node: 'node01', at: 1 },
      { kind: 'http.sent', file: 'x.efi', role: 'loader', bytes: 1, ms: 1, node: 'node01', at: 2 },
      { kind: 'node.step', code: 'agent', status: 'started', node: 'node01', at: 3 },
      { kind: 'node.step', code: 'ready', status: 'done', node: 'node01', at: 4 },
      { kind: 'node.clock', aheadMs: 9000, node: 'node01', at: 5 },
    ];
    const whole = new Timeline();
    for (const event of events) whole.see(event);
    for (let saved = 0; saved <= events.length; saved++) {
      const before = new Timeline();
      for (const event of events.slice(0, saved)) before.see(event);
      const boots = before.takeChanges();
      for (let forgotten = 0; forgotten <= saved; forgotten++) {
        const kept = events.slice(forgotten).map((event, id) => ({ id, event }));
        const store = { boots: { read: async () => boots }, events: { read: async () => kept } };
        const after = await rememberedTimeline(store);
        assert.deepEqual(after.boots('node01'), whole.boots('node01'), `${saved} saved, ${forgotten} forgotten`);
      }
    }
    assert.deepEqual([...whole.takeChanges().keys(), ...whole.takeChanges().keys()], ['node01']);
  });
});
