import assert from 'node:assert/strict';
import { open as openFile, rename, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ask, LARGE_BYTES, loopbackServer, open, statusOf, until } from './testing/serverFixture.ts';

const LARGE = '/boot/files/large';
const header = (answer: string, name: string) => new RegExp(`\\r\\n${name}: ([^\\r]*)\\r\\n`, 'i').exec(answer)?.[1];
const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4);
/** Until a change of a file shows in its times. */
const rest = () => delay(150);

test('headers and ranges of a file need none of its other bytes', async (t) => {
  const { port, root } = await loopbackServer(t);
  // Reading all of it takes hours.
  const size = 8 * 2 ** 40;
  await truncate(join(root, 'large'), size);
  await rest();
  const head = await ask(t, port, LARGE, { method: 'HEAD' });
  assert.equal(statusOf(head), 200);
  assert.equal(header(head, 'Content-Length'), `${size}`);
  const etag = header(head, 'ETag');
  assert.match(etag ?? '', /^"[0-9a-f]{32}"$/);
  const part = await ask(t, port, LARGE, { headers: `Range: bytes=-5\r\nIf-Range: ${etag}\r\n` });
  assert.equal(statusOf(part), 206);
  assert.equal(bodyOf(part), '\0'.repeat(5));
  assert.equal(statusOf(await ask(t, port, LARGE, { headers: `If-None-Match: ${etag}\r\n` })), 304);
});

test('a resumed download goes on with the same file only', async (t) => {
  const { port, root } = await loopbackServer(t);
  const path = join(root, 'large');
  const about = async () => {
    await rest();
    const answer = await ask(t, port, LARGE, { method: 'HEAD' });
    return header(answer, 'ETag') ?? assert.fail('no ETag');
  };
  const resume = async (etag: string) =>
    statusOf(await ask(t, port, LARGE, { headers: `Range: bytes=${LARGE_BYTES - 5}-\r\nIf-Range: ${etag}\r\n` }));
  const isKnown = async (etag: string) =>
    statusOf(await ask(t, port, LARGE, { method: 'HEAD', headers: `If-None-Match: ${etag}\r\n` })) === 304;

  const first = await about();
  assert.equal(await about(), first);
  assert.equal(await resume(first), 206);
  assert.equal(await resume(`W/${first}`), 200);

  // Same size and time of the content, as `rsync --times` and `cp --preserve` leave it.
  const { atime, mtime } = await stat(path);
  await writeFile(`${path}.new`, Buffer.alloc(LARGE_BYTES, 'other '));
  await utimes(`${path}.new`, atime, mtime);
  await rename(`${path}.new`, path);
  const replaced = await about();
  assert.notEqual(replaced, first);
  assert.equal(await resume(first), 200);
  assert.equal(await isKnown(first), false);
  assert.equal(await resume(replaced), 206);

  await using handle = await openFile(path, 'r+');
  await handle.write('x', 0);
  await utimes(path, atime, mtime);
  assert.notEqual(await about(), replaced);
  assert.equal(await resume(replaced), 200);
  assert.equal(await isKnown(replaced), false);
});

test('an answer whose file is edited while it is sent does not look whole; one whose file is replaced is the old file', async (t) => {
  const { port, root, events } = await loopbackServer(t);
  const path = join(root, 'large');
  await rest();
  const begun = async () => {
    const socket = await open(t, port);
    const chunks: Buffer[] = [];
    socket.write(`GET ${LARGE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await new Promise((resolve) => socket.once('readable', resolve));
    return async () => {
      socket.on('data', (piece) => chunks.push(Buffer.from(piece)));
      await new Promise((resolve) => socket.once('close', resolve));
      return bodyOf(Buffer.concat(chunks).toString('latin1'));
    };
  };

  const replaced = await begun();
  await writeFile(`${path}.new`, Buffer.alloc(LARGE_BYTES, 'other '));
  await rename(`${path}.new`, path);
  assert.equal(await replaced(), Buffer.alloc(LARGE_BYTES, 'large ').toString('latin1'));

  const edited = await begun();
  await using handle = await openFile(path, 'r+');
  await handle.write('x', LARGE_BYTES - 1);
  assert.ok((await edited()).length < LARGE_BYTES);
  const reasons = () => events.flatMap((event) => (event.kind === 'http.failed' ? [event.reason] : []));
  await until('an event', () => reasons().length > 0);
  assert.deepEqual(reasons(), ['the file changed while it was sent']);
});
