import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type BootFilesFrom, httpFiles } from '../../boot/files.ts';
import type { BootSite } from '../../boot/site.ts';
import type { FileSource } from '../../boot/source.ts';
import type { Happening } from '../../model/event.ts';
import { parseSubnet } from '../../model/ipv4.ts';
import { type HttpNative, native } from '../../net/native.ts';
import { makeBundle } from '../../node/bundle.ts';
import { Orders } from '../../node/orders.ts';
import { NO_SECRETS } from '../../node/secretMask.ts';
import { NodeTokens } from '../../node/tokens.ts';
import { ip, networkFixture, nodeFixture, siteFixture } from '../../site/testing/fixture.ts';
import { emptyStore } from '../../state/testing/fakes.ts';
import { BulkServer, type BulkServerFrom, frontOf } from '../bulkServer.ts';
import type { Adopt, HttpFront } from '../front.ts';
import { limitsFor } from '../limits.ts';
import { createHttpServer, type HttpServerFrom, STALL_MS } from '../server.ts';

/** node01 of a server on loopback is 127.0.0.1; other clients come from other addresses of this machine. */
export const ME = 'mac=52:54:00:00:00:51';
export const SMALL = 'a small file\n';
export const LARGE_BYTES = 24_000_000;

type Test = { after(end: () => unknown): void };

/** A server for machines on loopback, with a small and a large file, and its events and faults. */
export async function loopbackServer(t: Test, changes: Partial<HttpServerFrom> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-http-'));
  const root = join(folder, 'tftp');
  mkdirSync(root);
  writeFileSync(join(root, 'small'), SMALL);
  writeFileSync(join(root, 'large'), Buffer.alloc(LARGE_BYTES, 'large '));
  const tftp = { root, singlePort: false, maxTransfers: 1, maxTransfersPerClient: 1 };
  const node = nodeFixture({ ip: ip('127.0.0.1') });
  const subnet = parseSubnet('127.0.0.0/8') ?? assert.fail();
  const fixture = siteFixture({ tftp });
  const site = {
    ...fixture,
    networks: new Map([['openstack', networkFixture({ subnet, server: ip('127.0.0.1') })]]),
    nodeByMac: new Map([...fixture.nodeByMac, [node.macs[0], node] as const]),
  };
  const events: Happening[] = [];
  const faults: unknown[] = [];
  const tokens = await NodeTokens.open({
    store: emptyStore().tokens,
    now: Date.now,
    trouble: (error) => assert.fail(`${error}`),
  });
  tokens.bootSeen('node01');
  const orders = new Orders();
  const emit = (event: Happening) => void events.push(event);
  const faulted = (error: unknown) => void faults.push(error);
  const bootFiles = changes.bootFiles ?? bootFilesOf(site);
  const addon = native();
  const http = createHttpServer({
    ...(addon && { front: (adopt: Adopt) => bulkHere(addon, adopt, { bootFiles, emit, faulted, ...changes }) }),
    site: () => site,
    tokens,
    bootFiles,
    addressOf: () => undefined,
    bundleOf: async () => makeBundle([], []),
    maskOf: async () => NO_SECRETS,
    inventories: { load: async () => undefined, save: async () => {} },
    opened: async () => {},
    orders,
    onNews: () => {},
    emit,
    faulted,
    ...changes,
  });
  const port = await http.listen({ port: 0 });
  t.after(async () => {
    await http.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { http, port, events, faults, tokens, orders, root };
}

type BulkHere = Pick<HttpServerFrom, 'bootFiles' | 'emit'> &
  Pick<BulkServerFrom, 'faulted'> &
  Partial<Pick<HttpServerFrom, 'stallMs' | 'descriptors' | 'maxDownloads' | 'maxDownloadsPerClient'>>;

/** What the server has in a thread of its own, in this one. */
function bulkHere(addon: HttpNative, adopt: Adopt, { bootFiles, emit, faulted, ...changes }: BulkHere): HttpFront {
  const limits = limitsFor(changes.descriptors);
  const bulk = new BulkServer({
    native: addon,
    bootFiles,
    emit,
    faulted,
    handedOver: adopt,
    stallMs: changes.stallMs ?? STALL_MS,
    limits: {
      ...limits,
      downloads: changes.maxDownloads ?? limits.downloads,
      downloadsPerClient: changes.maxDownloadsPerClient ?? limits.downloadsPerClient,
    },
  });
  return frontOf(bulk);
}

/** Boot files of a site on loopback, of which no image is built. */
export function bootFilesOf(site: BootSite, changes: Partial<BootFilesFrom> = {}): FileSource {
  return httpFiles({
    site: () => site,
    serverOf: ({ server }) => server && { ip: server, httpPort: 8080 },
    networkOf: () => undefined,
    imageOf: async () => undefined,
    machineIdOf: async () => undefined,
    imageFile: async () => undefined,
    ...changes,
  });
}

/** A connection from `from`; what goes wrong on it is no error of the test. */
export function open(t: Test, port: number, from = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('close', () => resolve(socket));
  });
}

/** Sends bytes as they are and gives all that comes back until the server closes, or until nothing came for `ms`. */
export async function raw(t: Test, port: number, bytes: string | Uint8Array, { from = '127.0.0.1', ms = 5000 } = {}) {
  const socket = await open(t, port, from);
  let text = '';
  socket.setEncoding('latin1').on('data', (piece) => {
    text += piece;
  });
  socket.write(bytes);
  await Promise.race([new Promise((end) => socket.once('close', end)), delay(ms, undefined, { ref: false })]);
  socket.destroy();
  return text;
}

/** A request that closes its connection, and its answer. */
export function ask(
  t: Test,
  port: number,
  path: string,
  { from = '127.0.0.1', method = 'GET', headers = '', body = '' } = {},
) {
  const length = method === 'POST' ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : '';
  const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}${headers}\r\n`;
  return raw(t, port, head + body, { from, ms: 20_000 });
}

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

export async function until(what: string, holds: () => boolean, seconds = 20): Promise<void> {
  for (let i = 0; i < seconds * 50; i++) {
    if (holds()) return;
    await delay(20);
  }
  assert.fail(`waited ${seconds} s in vain for ${what}`);
}
