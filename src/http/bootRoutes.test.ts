import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Happening } from '../model/event.ts';
import { siteFixture } from '../site/testing/fixture.ts';
import { createApp } from './app.ts';
import { addBootRoutes } from './bootRoutes.ts';
import { Connections } from './connections.ts';
import { bootFilesOf } from './testing/serverFixture.ts';

const SMALL = 'a small file\n';
const SHA = 'c'.repeat(64);

/** The boot routes in process, over a folder with a small and a large file. */
function rig(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-boot-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const root = join(folder, 'tftp');
  mkdirSync(join(root, 'sub'), { recursive: true });
  writeFileSync(join(root, 'sub/small'), SMALL);
  writeFileSync(join(root, 'large'), Buffer.alloc(500_000, 'large '));
  writeFileSync(join(folder, 'secret'), 'secret');
  writeFileSync(join(folder, 'initrd'), 'initrd');
  const site = siteFixture({ tftp: { root, singlePort: false, maxTransfers: 1, maxTransfersPerClient: 1 } });
  const events: Happening[] = [];
  const faults: unknown[] = [];
  const app = createApp((error) => faults.push(error), new Connections(10, 10));
  const bounds = { stallMs: 5000, maxDownloads: 10, maxDownloadsPerClient: 10 };
  const bootFiles = bootFilesOf(site, {
    imageFile: async (sha256, which) =>
      sha256 === SHA && which === 'initrd' ? { path: join(folder, 'initrd'), sha256: SHA } : undefined,
  });
  const routes = addBootRoutes(app, { bootFiles, emit: (event) => events.push(event), ...bounds });
  return { app, events, faults, routes };
}

describe('a boot file', () => {
  const good: readonly (readonly [
    what: string,
    method: 'GET' | 'HEAD',
    path: string,
    headers: Readonly<Record<string, string>>,
    status: number,
    body: string,
  ])[] = [
    ['small', 'GET', '/boot/files/sub/small', {}, 200, SMALL],
    ['by doubled slashes', 'GET', '//boot//files//sub//small', {}, 200, SMALL],
    ['whose size is asked', 'HEAD', '/boot/files/sub/small', {}, 200, ''],
    ['of which a part is asked', 'GET', '/boot/files/sub/small', { range: 'bytes=2-6' }, 206, 'small'],
    ['of which more is asked than there is', 'GET', '/boot/files/sub/small', { range: 'bytes=99-' }, 416, ''],
    ['that is whole already', 'GET', '/boot/files/sub/small', { 'if-none-match': '*' }, 304, ''],
    ['of an image', 'GET', `/boot/images/${SHA}/initrd`, {}, 200, 'initrd'],
    ['large', 'GET', '/boot/files/large', { range: 'bytes=-5' }, 206, 'ge la'],
  ];
  for (const [what, method, url, headers, status, body] of good) {
    it(`${what}: ${method} ${url} ${JSON.stringify(headers)}`, async (t) => {
      const { app, events, faults } = rig(t);
      const answer = await app.inject({ method, url, headers });
      assert.equal(answer.statusCode, status, answer.body);
      assert.equal(answer.body, body);
      // What brought no byte of the file is no transfer.
      assert.equal(events.length, body === '' ? 0 : 1, JSON.stringify(events));
      assert.deepEqual(faults, []);
    });
  }

  it('counts once it is sent whole, and no answer without it', async (t) => {
    const { app, routes } = rig(t);
    assert.deepEqual(routes.gauges(), { downloads: 0, filesSent: 0, fileBytesSent: 0, filesUnreported: 0 });
    for (const url of ['/boot/files/sub/small', '/boot/files/large', '/boot/files/none']) await app.inject(url);
    await app.inject({ method: 'HEAD', url: '/boot/files/large' });
    const bytes = SMALL.length + 500_000;
    assert.deepEqual(routes.gauges(), { downloads: 0, filesSent: 2, fileBytesSent: bytes, filesUnreported: 0 });
  });

  it('made for a machine: its script', async (t) => {
    const { app, faults } = rig(t);
    const answer = await app.inject('/boot/ipxe/52:54:00:00:00:51');
    assert.equal(answer.statusCode, 200, answer.body);
    assert.match(answer.body, /^#!ipxe\n# Made by Reveille for node01\n/);
    assert.deepEqual(faults, []);
  });

  const bad: readonly (readonly [method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: string])[] = [
    ['GET', '/boot/files/none'],
    ['GET', '/boot/files/sub'],
    ['GET', '/boot/files/..%2fsecret'],
    ['GET', '/boot/files/%2e%2e/secret'],
    ['GET', '/boot/files/'],
    ['GET', '/boot/ipxe/nonsense'],
    ['GET', '/boot/ipxe/52:54:00:00:00:99'],
    ['GET', `/boot/images/${'a'.repeat(64)}/initrd`],
    ['GET', '/boot/images/x/manifest.json'],
    ['GET', '/boot/'],
    ['GET', '/boot'],
    ['POST', '/boot/files/sub/small', 'body'],
    ['DELETE', '/boot/files/sub/small'],
  ];
  for (const [method, url, body] of bad) {
    it(`that is none: ${method} ${url} is refused in the form of all refusals`, async (t) => {
      const { app, events, faults } = rig(t);
      const answer = await app.inject({ method, url, ...(body === undefined ? {} : { body }) });
      assert.match(String(answer.headers['content-type']), /^application\/json/);
      assert.equal(answer.statusCode, 404, answer.body);
      assert.equal(answer.json().code, 'FILE_MISSING');
      // Where there is no route there is no file to report.
      const kinds = events.map(({ kind }) => kind);
      assert.deepEqual(kinds, method === 'GET' && url !== '/boot' ? ['http.missing'] : []);
      assert.deepEqual(faults, []);
    });
  }
});
