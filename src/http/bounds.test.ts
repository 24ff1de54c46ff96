import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { Bodies, type BodyLimits } from './bodies.ts';
import { fewAtOnce } from './fewAtOnce.ts';
import { limitsFor } from './limits.ts';
import { Notices } from './notices.ts';
import { Rates } from './rates.ts';
import type { Refused } from './refused.ts';
import { Renderings } from './renderings.ts';
import { open, until } from './testing/serverFixture.ts';

/** A server that does nothing but read bodies of at most 1000 bytes, each sender named by its path. */
async function reading(t: TestContext, limits: BodyLimits) {
  const bodies = new Bodies(limits);
  const outcomes: (string | number)[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      using body = await bodies.read(request, response, 1000, request.url ?? '');
      outcomes.push(body.bytes.toString());
    } catch (error) {
      outcomes.push((error as Refused).status ?? (error as Refused).code);
    }
    response.end();
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const send = async (path: string, head: string, body = '') => {
    const socket = await open(t, (server.address() as AddressInfo).port);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`);
    return socket;
  };
  return { bodies, outcomes, send };
}

describe('bodies that are read', () => {
  it('are whole, whatever the pieces they come in', async (t) => {
    const { bodies, outcomes, send } = await reading(t, { each: 2000, inAll: 9000 });
    const socket = await send('/a', 'Content-Length: 6', 'abc');
    await delay(50);
    socket.write('d');
    await delay(50);
    socket.write('ef');
    await send('/b', 'Transfer-Encoding: chunked', '3\r\nxyz\r\n0\r\n\r\n');
    await send('/c', 'Content-Length: 0');
    await until('all', () => outcomes.length === 3);
    assert.deepEqual(outcomes.sort(), ['', 'abcdef', 'xyz']);
    assert.equal(bodies.bytes, 0);
  });

  it('are bounded each, for a sender, and in all; what was refused counts for nothing', async (t) => {
    const { bodies, outcomes, send } = await reading(t, { each: 1500, inAll: 2500 });
    await send('/a', 'Content-Length: 1001');
    await until('the first', () => outcomes.length === 1);
    assert.deepEqual(outcomes, [413]);
    const held = await send('/a', 'Content-Length: 1000', 'x');
    await until('the body', () => bodies.bytes === 1000);
    await send('/a', 'Transfer-Encoding: chunked', '1\r\nx\r\n');
    await until('the next', () => outcomes.length === 2);
    assert.equal(outcomes[1], 'TOO_MANY_REQUESTS');
    await send('/b', 'Content-Length: 1000', 'x');
    await until('the body', () => bodies.bytes === 2000);
    await send('/c', 'Content-Length: 1000', 'x');
    await until('the next', () => outcomes.length === 3);
    assert.equal(outcomes[2], 'SERVER_BUSY');
    held.destroy();
    await until('room', () => bodies.bytes === 1000);
    assert.equal(outcomes[3], 400);
  });

  it('that do not come in time are cut off', async (t) => {
    const { bodies, outcomes, send } = await reading(t, { each: 2000, inAll: 9000, graceMs: 200 });
    const socket = await send('/a', 'Content-Length: 1000', 'x');
    const dripping = setInterval(() => socket.write('x'), 20);
    t.after(() => clearInterval(dripping));
    await until('the end', () => outcomes.length === 1, 5);
    assert.deepEqual(outcomes, [408]);
    assert.equal(bodies.bytes, 0);
  });
});

describe('a rate', () => {
  it('lets a burst through, then as many as time brings, each key for itself', () => {
    let now = 0;
    const rates = new Rates({ burst: 3, perSecond: 0.5 }, 10, () => now);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => rates.take('a')),
      [0, 0, 0, 2],
    );
    assert.equal(rates.take('b'), 0);
    now += 1000;
    assert.equal(rates.take('a'), 1);
    now += 1000;
    assert.equal(rates.take('a'), 0);
    assert.equal(rates.take('a'), 2);
    now += 3_600_000;
    assert.deepEqual(
      [1, 2, 3, 4].map(() => rates.take('a')),
      [0, 0, 0, 2],
    );
  });
});

describe('events that clients cause', () => {
  it('come once a minute for each subject, with how often it happened', () => {
    let now = 0;
    const notices = new Notices(() => now);
    const seen: [string, number][] = [];
    const note = (subject: string) => notices.note(subject, (count) => seen.push([subject, count]));
    for (let i = 0; i < 5; i++) note('a');
    note('b');
    now += 60_000;
    note('a');
    assert.deepEqual(seen, [
      ['a', 1],
      ['b', 1],
      ['a', 5],
    ]);
  });

  it('are bounded in all, however many subjects they make up', () => {
    const notices = new Notices(() => 0);
    let seen = 0;
    for (let i = 0; i < 5000; i++) notices.note(`${i}`, () => seen++);
    assert.equal(seen, 100);
  });
});

describe('work that many ask for', () => {
  it('runs once for all who wait, and anew for who asks after it began', async () => {
    const renderings = new Renderings<number>(2);
    let begun = 0;
    const go: (() => void)[] = [];
    const ask = () =>
      renderings.run('a', async () => {
        const mine = ++begun;
        await new Promise<void>((resolve) => go.push(resolve));
        return mine;
      });
    const all = [ask(), ask(), ask()];
    await setImmediate();
    assert.equal(begun, 1);
    go[0]?.();
    await setImmediate();
    go[1]?.();
    assert.deepEqual(await Promise.all(all), [1, 2, 2]);
    const after = ask();
    await setImmediate();
    go[2]?.();
    assert.equal(await after, 3);
  });

  it('that fails fails for those who share it, and the next begins', async () => {
    const renderings = new Renderings<string>(1);
    const first = renderings.run('a', () => Promise.reject(new Error('no')));
    const second = renderings.run('a', async () => 'yes');
    await assert.rejects(first, /no/);
    assert.equal(await second, 'yes');
  });

  it('runs a few at once of all keys', async () => {
    const few = fewAtOnce(2);
    let [running, most] = [0, 0];
    const work = async () => {
      most = Math.max(most, ++running);
      await delay(5);
      running--;
    };
    const broken = few(() => Promise.reject(new Error('no')));
    await Promise.allSettled([broken, ...Array.from({ length: 20 }, () => few(work))]);
    assert.equal(most, 2);
    assert.equal(running, 0);
  });
});

describe('limits', () => {
  it('never need more descriptors than there are', () => {
    for (const descriptors of [16, 60, 500, 1024, 20_000, Number.POSITIVE_INFINITY]) {
      const { connections, connectionsPerClient, downloads, downloadsPerClient } = limitsFor(descriptors);
      assert.ok(connections + downloads <= descriptors * 0.85 + 2);
      assert.ok(connectionsPerClient <= connections && downloadsPerClient <= downloads && downloads >= 2);
    }
    assert.equal(limitsFor().connections, 8192);
  });
});
