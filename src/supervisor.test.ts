import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createSocket } from 'node:dgram';
import { afterEach, beforeEach, describe, it, type Mock, mock } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Happening } from './model/event.ts';
import { Supervisor } from './supervisor.ts';

/** A service whose callbacks fail on demand; `starts` counts how often it was started. */
function failing(fail: () => void) {
  const service = {
    starts: 0,
    async start() {
      service.starts++;
      const number = service.starts;
      return { number, fail, close: async () => {} };
    },
  };
  return service;
}

const failLater = (schedule: (callback: () => void) => void) => () => {
  schedule(() => {
    throw new Error('a mistake');
  });
};

/** The runner has handlers of its own, which would fail the test. */
describe('a supervisor', () => {
  let supervisor: Supervisor;
  let events: Happening[];
  let end: Mock<() => void>;
  let runners: [NodeJS.UncaughtExceptionListener[], NodeJS.UnhandledRejectionListener[]];
  beforeEach(() => {
    runners = [process.listeners('uncaughtException'), process.listeners('unhandledRejection')];
    process.removeAllListeners('uncaughtException');
    process.removeAllListeners('unhandledRejection');
    events = [];
    end = mock.fn();
    supervisor = new Supervisor({ emit: (event) => events.push(event), end });
  });
  afterEach(() => {
    supervisor.close();
    for (const listener of runners[0]) process.on('uncaughtException', listener);
    for (const listener of runners[1]) process.on('unhandledRejection', listener);
  });
  const kinds = () => events.map(({ kind }) => kind);

  const edges: readonly (readonly [string, (callback: () => void) => void])[] = [
    ['a timer', (callback) => void setTimeout(callback, 1)],
    ['an immediate', (callback) => void setImmediate(callback)],
    ['a promise that is not awaited', (callback) => void Promise.resolve().then(callback)],
    [
      'a socket',
      (callback) => {
        const socket = createSocket('udp4');
        socket.on('message', () => {
          socket.close();
          callback();
        });
        socket.bind(0, '127.0.0.1', () => socket.send('x', socket.address().port, '127.0.0.1'));
      },
    ],
  ];
  for (const [edge, schedule] of edges) {
    it(`restarts the service whose exception came from ${edge}, and no other`, async () => {
      const one = failing(failLater(schedule));
      const other = failing(() => {});
      const running = await supervisor.run('one', async () => {
        const started = await one.start();
        if (started.number === 1) started.fail();
        return started;
      });
      await supervisor.run('other', () => other.start());
      for (let i = 0; i < 200 && one.starts < 2; i++) await delay(5);
      await delay(5);
      assert.equal(one.starts, 2);
      assert.equal(running.running?.number, 2);
      assert.equal(other.starts, 1);
      assert.deepEqual(kinds(), ['server.fault', 'server.restarted']);
      assert.partialDeepStrictEqual(events[0], { service: 'one', message: 'a mistake', count: 1 });
      assert.equal(end.mock.callCount(), 0);
    });
  }

  it('lets a service that fails again and again go on, rather than stopping it each time', async () => {
    const service = failing(failLater((callback) => setTimeout(callback, 1)));
    await supervisor.run('one', async () => {
      const started = await service.start();
      for (let i = 0; i < 3; i++) started.fail();
      return started;
    });
    for (let i = 0; i < 200 && supervisor.faults < 6; i++) await delay(5);
    assert.equal(supervisor.faults, 6);
    assert.equal(service.starts, 2);
    assert.deepEqual(kinds(), ['server.fault', 'server.restarted'], 'the same exception is reported once a minute');
  });

  it('starts a service anew that failed soon after it was, once it may', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const clock = { now: 0 };
    context.mock.method(performance, 'now', () => clock.now);
    let starts = 0;
    let fail = (): void => {};
    const running = await supervisor.run('one', async () => {
      const inside = AsyncLocalStorage.snapshot();
      fail = () => inside(() => setImmediate(() => assert.fail('a mistake')));
      return { number: ++starts, close: async () => {} };
    });
    const failed = async () => {
      fail();
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    await failed();
    assert.equal(starts, 2, 'at once');
    await failed();
    await failed();
    assert.equal(starts, 2, 'not again so soon');
    clock.now = 30_000;
    context.mock.timers.tick(30_000);
    await failed();
    assert.equal(starts, 3, 'later');
    assert.equal(running.running?.number, 3);
    await running.close();
    context.mock.timers.tick(60_000);
    assert.equal(starts, 3);
  });

  it('starts a service anew later in which something failed as it started', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    let starts = 0;
    const service = await supervisor.run('one', async () => {
      if (++starts === 1) queueMicrotask(() => assert.fail('a mistake'));
      await new Promise((resolve) => setImmediate(resolve));
      return { close: async () => {} };
    });
    assert.deepEqual([starts, kinds()], [1, ['server.fault']]);
    context.mock.timers.tick(30_000);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([starts, kinds()], [2, ['server.fault', 'server.restarted']]);
    await service.close();
  });

  it('passes a reload on to what serves now, and counts how often it was started anew', async () => {
    const seen: string[] = [];
    let starts = 0;
    const service = await supervisor.run('one', async () => {
      const number = ++starts;
      // In the context of the service, as its own timers are.
      if (number === 1)
        setTimeout(
          failLater((callback) => callback()),
          20,
        );
      return {
        reload: async () => void seen.push(`reload ${number}`),
        gauges: () => ({ number }),
        close: async () => {},
      };
    });
    await service.reload();
    assert.deepEqual(service.gauges(), { number: 1, restarts: 0 });
    for (let i = 0; i < 400 && service.gauges().restarts === 0; i++) await delay(5);
    await service.reload();
    assert.deepEqual([seen, service.gauges()], [['reload 1', 'reload 2'], { number: 2, restarts: 1 }]);
    assert.deepEqual(
      supervisor.services.map(({ name }) => name),
      ['one'],
    );
    await service.close();
    assert.deepEqual(service.gauges(), { restarts: 1 });
  });

  it('has the numbers of services and parts together, those of a part that cannot count left out', async () => {
    await supervisor.run('tftp', async () => ({ gauges: () => ({ transfers: 2 }), close: async () => {} }));
    supervisor.measure('strangers', () => ({ strangers: 7 }));
    supervisor.measure('timeline', () => assert.fail('a mistake'));
    supervisor.sinkOf('tftp')('odd');
    supervisor.sinkOf('listener')('odd');
    assert.deepEqual(Object.fromEntries(supervisor.allGauges()), {
      strangers: { strangers: 7, faults: 0 },
      timeline: { faults: 1 },
      tftp: { transfers: 2, restarts: 0, faults: 1 },
      listener: { faults: 1 },
    });
    assert.deepEqual(kinds(), ['server.fault', 'server.fault', 'server.fault']);
  });

  it('tries again until a service that stopped starts', async () => {
    let starts = 0;
    const service = await supervisor.run('one', async () => {
      starts++;
      if (starts === 1) setImmediate(() => assert.fail('the first one breaks'));
      if (starts === 2) throw new Error('the port is still held');
      return { close: async () => {} };
    });
    for (let i = 0; i < 60 && starts < 3; i++) await delay(50);
    await delay(5);
    assert.equal(starts, 3);
    assert.ok(service.running);
    assert.deepEqual(kinds(), ['server.fault', 'server.fault', 'server.restarted']);
  });

  it('ends the process where going on would risk the leases', async () => {
    await supervisor.vital('state', async () => {
      setImmediate(() => assert.fail('an answer of no service'));
    });
    await delay(5);
    assert.equal(end.mock.callCount(), 1);
    assert.deepEqual(kinds(), ['server.fault']);
  });

  it('counts what a service contained itself, and reports each kind with its stack once', () => {
    const faulted = supervisor.sinkOf('tftp');
    for (let i = 0; i < 1000; i++) faulted(i % 2 ? new Error('odd') : 'even');
    assert.equal(supervisor.faults, 1000);
    assert.deepEqual(
      events.map((event) => event.kind === 'server.fault' && [event.message, event.stack !== undefined]),
      [
        ['even', false],
        ['odd', true],
      ],
    );
  });

  it('reports whatever is thrown', () => {
    const hostile = new Error('x');
    Object.defineProperty(hostile, 'message', {
      get: () => {
        throw new Error('no message');
      },
    });
    const unlike = Object.assign(new Error('x'), { message: 5, stack: {} });
    const faulted = supervisor.sinkOf('http');
    for (const thrown of [undefined, null, Symbol('s'), 1n, Object.create(null), hostile, unlike]) faulted(thrown);
    const cannot = 'something that cannot be shown was thrown';
    assert.deepEqual(
      events.map((event) => event.kind === 'server.fault' && event.message),
      ['undefined', 'null', 'Symbol(s)', '1', cannot, '5'],
    );
    assert.equal(supervisor.faults, 7);
  });

  it('remembers a bounded number of kinds', () => {
    const faulted = supervisor.sinkOf('http');
    for (let i = 0; i < 1000; i++) faulted(new Error(`number ${i}`));
    assert.equal(events.length, 100);
  });
});
