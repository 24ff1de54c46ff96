import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { type DhcpServer, startDhcpServer } from '../../src/dhcp/server.ts';
import type { Lease } from '../../src/model/lease.ts';
import { interfaceAddresses } from '../../src/net/interfaces.ts';
import { withServers } from '../../src/site/servers.ts';
import {
  addMachine,
  clientScript,
  layBridge,
  memoryStore,
  NODE_MAC,
  rackSite,
  requireTools,
  run,
  sh,
  tidy,
} from './dhcp.rig.ts';

// Mistakes behind every edge of the DHCP server: each costs its own answer, and leases stay whole.

requireTools('udhcpc');

const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-faults-'));
const script = clientScript(join(folder, 'script'), join(folder, 'notes'));
const GUESTS = ['guest1', 'guest2', 'guest3'];

/** What goes wrong for as long as it is armed. */
let armed: string | undefined;
let faults: string[];
let server: DhcpServer;
let store: ReturnType<typeof memoryStore>;

function mistake(edge: string): void {
  if (armed === edge) throw new Error(`a mistake in ${edge}`);
}

const { readUInt16BE, writeUInt16BE } = Buffer.prototype;

before(() => {
  layBridge();
  addMachine('node01', NODE_MAC);
  for (const [n, name] of GUESTS.entries()) addMachine(name, `52:54:00:00:0e:0${n}`);
  Buffer.prototype.readUInt16BE = function (this: Buffer, ...args: [number?]) {
    mistake('decoding');
    return readUInt16BE.apply(this, args);
  };
  Buffer.prototype.writeUInt16BE = function (this: Buffer, ...args: [number, number?]) {
    mistake('encoding');
    return writeUInt16BE.apply(this, args);
  };
});
after(async () => {
  Object.assign(Buffer.prototype, { readUInt16BE, writeUInt16BE });
  await tidy();
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

async function startServer(loaded: readonly Lease[]): Promise<void> {
  const memory = memoryStore(loaded);
  store = {
    ...memory,
    load: async () => {
      mistake('loading');
      return memory.load();
    },
    commit: async (leases) => {
      mistake('the store');
      return memory.commit(leases);
    },
  };
  server = await startDhcpServer({
    site: () => {
      mistake('the site');
      return withServers(rackSite(), interfaceAddresses());
    },
    store,
    boot: () => {
      mistake('boot');
      return { kind: 'none', reason: { code: 'not-listed' } };
    },
    events: () => mistake('events'),
    faulted: (error) => faults.push(String(error)),
  });
}

beforeEach(async () => {
  [faults, armed] = [[], undefined];
  await startServer([]);
});
afterEach(async () => {
  armed = undefined;
  await server.close();
});

/** The address that a machine is given, if any. It asks for a boot file, too. */
async function ask(machine: string, times = 3): Promise<string | undefined> {
  const asks = ['udhcpc', '-f', '-i', 'eth0', '-n', '-q', '-t', `${times}`, '-T', '1', '-O', 'bootfile', '-s', script];
  return /lease of ([0-9.]+) obtained/.exec((await run(machine, 20, ...asks)).output)?.[1];
}

async function allDiffer(): Promise<void> {
  const given = await Promise.all(GUESTS.map((guest) => ask(guest)));
  assert.ok(!given.includes(undefined), `${given}`);
  assert.equal(new Set(given).size, GUESTS.length, `${given}`);
  assert.equal(await ask('node01'), '10.0.0.51');
}

describe('a mistake in', () => {
  type Served = { readonly node: boolean; readonly guest: boolean };
  const rows: [edge: string, meanwhile: Served, reported: boolean][] = [
    ['decoding', { node: false, guest: false }, true],
    ['encoding', { node: false, guest: false }, true],
    ['boot', { node: false, guest: false }, true],
    ['events', { node: true, guest: true }, true],
    // A store that fails is no mistake of the server's: it is told as trouble.
    ['the store', { node: true, guest: false }, false],
  ];
  for (const [edge, meanwhile, reported] of rows) {
    test(`${edge} costs the answers that need it, and nothing once it is over`, async () => {
      assert.equal(await ask('guest1'), '192.168.0.111');
      armed = edge;
      assert.equal((await ask('node01')) !== undefined, meanwhile.node, 'the node');
      assert.equal((await ask('guest2')) !== undefined, meanwhile.guest, 'a stranger');
      armed = undefined;
      await allDiffer();
      assert.equal(faults.length > 0, reported, faults.join('\n'));
    });
  }

  test('reading the leases: nodes with addresses of their own are served, and no others', async () => {
    await server.close();
    armed = 'loading';
    await startServer([]);
    assert.equal(await ask('node01'), '10.0.0.51');
    assert.equal(await ask('guest1', 1), undefined);
    armed = undefined;
    assert.equal(await ask('guest1', 9), '192.168.0.111', 'they are read when that works again');
  });

  test('taking over an edited site leaves the last one served', async () => {
    armed = 'the site';
    await assert.rejects(server.reload(), /a mistake in the site/);
    await allDiffer();
  });
});

test('a server that starts again from the store knows every lease that a client was given', async () => {
  const first = new Map<string, string | undefined>();
  for (const guest of GUESTS) first.set(guest, await ask(guest));
  armed = 'encoding';
  await ask('node01', 1);
  armed = undefined;
  await server.close();
  await startServer(store.committed);
  for (const guest of GUESTS.toReversed()) assert.equal(await ask(guest), first.get(guest));
  await allDiffer();
});
