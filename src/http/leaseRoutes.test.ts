import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReveilleError } from '../errors.ts';
import type { Lease } from '../model/lease.ts';
import { ip, mac } from '../site/testing/fixture.ts';
import { createApp } from './app.ts';
import { guardBy, ON_SOCKET } from './caller.ts';
import { Connections } from './connections.ts';
import { addLeaseRoutes } from './leaseRoutes.ts';

const lease = (address: string, card: string): Lease => ({
  ip: ip(address),
  mac: mac(card),
  network: 'rack',
  state: 'bound',
  start: 1000,
  expires: 9000,
  clientId: new Uint8Array([1, 2]),
});
const LEASES = [lease('10.0.0.200', '52:54:00:00:00:99'), lease('10.0.0.51', '52:54:00:00:00:51')];

function app(released: string[] = []) {
  const made = createApp((error) => assert.fail(String(error)), new Connections(10, 10));
  guardBy(made, { admit: () => ON_SOCKET, changed: () => {} });
  addLeaseRoutes(made, {
    list: () => LEASES,
    release: async (address) => {
      const found = LEASES.find((one) => one.ip === address);
      if (!found) throw new ReveilleError('LEASE_UNKNOWN', 'nobody holds it');
      released.push(found.mac);
      return { ...found, state: 'released' };
    },
    nodeOf: (card) => (card === mac('52:54:00:00:00:51') ? 'node01' : undefined),
    poolOf: (address) => (address === ip('10.0.0.200') ? '10.0.0.200-10.0.0.220' : undefined),
  });
  return made;
}

test('leases are listed by address, with the node whose machine holds them', async () => {
  const answer = await app().inject('/api/v1/leases');
  assert.deepEqual(answer.json(), [
    {
      mac: '52:54:00:00:00:51',
      network: 'rack',
      state: 'bound',
      start: 1000,
      expires: 9000,
      ip: '10.0.0.51',
      node: 'node01',
      pool: null,
    },
    {
      mac: '52:54:00:00:00:99',
      network: 'rack',
      state: 'bound',
      start: 1000,
      expires: 9000,
      ip: '10.0.0.200',
      node: null,
      pool: '10.0.0.200-10.0.0.220',
    },
  ]);
});

test('a lease is ended by its address', async () => {
  const released: string[] = [];
  const rows: readonly (readonly [address: string, status: number, code: string | undefined])[] = [
    ['10.0.0.200', 200, undefined],
    ['10.0.0.9', 404, 'LEASE_UNKNOWN'],
    ['everything', 400, 'REQUEST_INVALID'],
  ];
  for (const [address, status, code] of rows) {
    const answer = await app(released).inject({ method: 'POST', url: `/api/v1/leases/${address}/release` });
    assert.equal(answer.statusCode, status, address);
    assert.equal(answer.json().code, code);
  }
  assert.deepEqual(released, ['52:54:00:00:00:99']);
});
