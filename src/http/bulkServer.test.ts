import assert from 'node:assert/strict';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { native } from '../net/native.ts';
import { ask, LARGE_BYTES, loopbackServer, ME, open, raw, SMALL, statusOf, until } from './testing/serverFixture.ts';

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4);
/** Until a change of a file shows in its times, and what was read since is remembered. */
const rest = () => delay(150);

describe('boot files by the addon', () => {
  it('are what these tests are about', () => assert.ok(native(), 'setup/native compiles it'));

  it('of small size come from memory as long as the file is what it was', async (t) => {
    const { port, root, http } = await loopbackServer(t);
    const path = join(root, 'small');
    const served = async () => bodyOf(await ask(t, port, '/boot/files/small'));
    const expect = async (content: string) => {
      for (let i = 0; i < 4; i++) assert.equal(await served(), content);
    };
    await rest();
    await expect(SMALL);
    const changes: readonly (readonly [what: string, change: () => void])[] = [
      ['written over', () => writeFileSync(path, 'an other file\n'.slice(0, SMALL.length))],
      [
        'replaced by another',
        () => {
          writeFileSync(`${path}.new`, 'b'.repeat(SMALL.length));
          renameSync(`${path}.new`, path);
        },
      ],
      [
        'a link to one file, then to another',
        () => {
          writeFileSync(join(root, 'one'), 'one');
          symlinkSync('one', `${path}.link`);
          renameSync(`${path}.link`, path);
        },
      ],
    ];
    const contents = ['an other file\n'.slice(0, SMALL.length), 'b'.repeat(SMALL.length), 'one'];
    for (const [i, [what, change]] of changes.entries()) {
      change();
      assert.equal(await served(), contents[i], what);
      await rest();
      await expect(contents[i] ?? '');
    }
    writeFileSync(join(root, 'two'), 'two');
    symlinkSync('two', `${path}.link`);
    renameSync(`${path}.link`, path);
    assert.equal(await served(), 'two', 'where the link leads decides');
    await rest();
    await expect('two');
    rmSync(path);
    assert.equal(statusOf(await ask(t, port, '/boot/files/small')), 404);
    const sent = http.gauges().filesSent ?? 0;
    assert.ok(sent > 20, `${sent} are counted`);
  });

  it('have an event each, and beyond some hundred at once a count', async (t) => {
    const { port, http, events } = await loopbackServer(t);
    await rest();
    const count = 600;
    for (let i = 0; i < 3; i++) await ask(t, port, '/boot/files/small');
    const answers = await raw(t, port, get('/boot/files/small').repeat(count), { ms: 1500 });
    assert.equal(answers.split(SMALL).length - 1, count);
    await until('the counts', () => http.gauges().filesSent === count + 3);
    await delay(200);
    const seen = events.filter(({ kind }) => kind === 'http.sent').length;
    const { filesUnreported = 0 } = http.gauges();
    assert.equal(seen + filesUnreported, count + 3);
    assert.ok(seen >= 64 && filesUnreported > 0, `${seen} seen`);
    assert.partialDeepStrictEqual(events.at(-1), { kind: 'http.sent', file: 'files/small', bytes: SMALL.length });
  });

  it('and the nodes’ API are asked for on one connection in any order, pipelined', async (t) => {
    const { port } = await loopbackServer(t);
    const paths = ['/boot/files/small', '/node/v1/nothing', '/boot/files/small', '/boot/files/none'];
    const statuses = async (order: readonly string[]) =>
      [...(await raw(t, port, order.map(get).join(''), { ms: 1500 })).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, s]) => s);
    assert.deepEqual(await statuses(paths), ['200', '404', '200', '404']);
    assert.deepEqual(await statuses([...paths].reverse()), ['404', '200', '404', '200']);
    const bundle = await raw(t, port, get('/boot/files/small') + get(`/node/v1/bundle?${ME}`), { ms: 1500 });
    assert.match(bundle, /small file\n\r?\n?HTTP\/1\.1 (200|40\d)/);
  });

  it('are sent whole to who closed its half of the connection', async (t) => {
    const { port } = await loopbackServer(t);
    for (const [path, bytes] of [
      ['/boot/files/small', SMALL.length],
      ['/boot/files/large', LARGE_BYTES],
    ] as const) {
      const socket = await open(t, port);
      let got = 0;
      socket.on('data', (piece) => {
        got += piece.length;
      });
      socket.end(get(path));
      await new Promise((resolve) => socket.once('close', resolve));
      assert.ok(got > bytes && got < bytes + 500, `${path}: ${got}`);
    }
  });

  it('are asked for in heads of any pieces', async (t) => {
    const { port } = await loopbackServer(t);
    const socket = await open(t, port);
    let text = '';
    socket.setEncoding('latin1').on('data', (piece) => {
      text += piece;
    });
    for (const letter of get('/boot/files/small').repeat(2)) {
      socket.write(letter);
      await delay(1);
    }
    await until('both answers', () => text.split(SMALL).length === 3);
  });

  it('are served beside a thousand idle connections and those that are reset', async (t) => {
    const { port, http, faults } = await loopbackServer(t);
    const idle = await Promise.all(Array.from({ length: 1000 }, (_, i) => open(t, port, `127.0.1.${1 + (i % 8)}`)));
    await until('the connections', () => (http.gauges().connections ?? 0) >= 1000);
    assert.equal(bodyOf(await ask(t, port, '/boot/files/small')), SMALL);
    for (const socket of idle.slice(0, 500)) socket.write('GET /boot/files/large HTTP/1.1\r\nHo');
    await delay(50);
    for (const socket of idle) socket.resetAndDestroy();
    await until('they are gone', () => http.gauges().connections === 0);
    assert.equal(bodyOf(await ask(t, port, '/boot/files/small')), SMALL);
    assert.deepEqual(faults, []);
  });
});
