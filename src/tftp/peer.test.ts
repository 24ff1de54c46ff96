import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpv4 } from '../model/ipv4.ts';
import { peerKey, peerOf } from './peer.ts';

test('who can be answered', () => {
  const yes = ['10.0.0.1 2070', '127.0.0.1 1', '223.255.255.255 65535', '1.0.0.0 69'];
  const no = ['10.0.0.1 0', '0.0.0.0 68', '0.1.2.3 68', '224.0.0.1 69', '239.1.2.3 69', '240.0.0.1 5'];
  for (const [rows, answerable] of [[yes, true] as const, [[...no, '255.255.255.255 69'], false] as const]) {
    for (const row of rows) {
      const [address = '', port] = row.split(' ');
      const ip = parseIpv4(address) ?? assert.fail(row);
      assert.equal(peerOf({ ip, port: Number(port) }) !== undefined, answerable, row);
    }
  }
});

test('peers differ by address and by port', () => {
  const rows = [
    ['10.0.0.1', 5],
    ['10.0.0.2', 5],
    ['10.0.0.1', 6],
    ['223.255.255.255', 65535],
  ] as const;
  const keys = rows.map(([address, port]) => {
    const ip = parseIpv4(address) ?? assert.fail(address);
    const peer = peerOf({ ip, port });
    return peer && peerKey(peer);
  });
  assert.equal(new Set(keys).size, rows.length);
  assert.ok(keys.every((key) => Number.isSafeInteger(key)));
});
