import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSocketTable } from './portHolder.ts';

const TABLE = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  367: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000   112        0 27462 2 0000000000000000 0
  369: 0200000A:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 27463 2 0000000000000000 0
`;

test("the kernel's table of sockets is read: port, state, user and inode", () => {
  assert.deepEqual(parseSocketTable(TABLE), [
    { port: 67, state: '07', uid: '112', inode: '27462' },
    { port: 69, state: '07', uid: '0', inode: '27463' },
  ]);
});

test("IPv6's longer addresses, an empty table and broken lines do no harm", () => {
  const v6 = 'head\n  1: 00000000000000000000000000000000:1F90 0:0 0A 0:0 0:0 0 1000 0 99 1 0\n';
  assert.deepEqual(parseSocketTable(v6), [{ port: 8080, state: '0A', uid: '1000', inode: '99' }]);
  assert.deepEqual(parseSocketTable(''), []);
  assert.deepEqual(parseSocketTable('head\ngarbage\n'), []);
});
