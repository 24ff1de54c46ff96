import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdsOnly, parseCapabilities, SERVE_NEEDS, setprivArguments } from './capabilities.ts';

const status = (bits: string): string =>
  ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}:\t${bits}`).join('\n');

test("a process's capability sets are read", () => {
  const sets = parseCapabilities(
    'Name:\tnode\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000002400\n',
  );
  assert.equal(sets.permitted, 0x1ffffffffffn);
  assert.equal(sets.effective, 0x2400n);
  assert.equal(sets.bounding, 0n);
});

test('serving needs ports below 1024 and raw packets, and more than that is too much', () => {
  assert(holdsOnly(parseCapabilities(status('0000000000002400')), SERVE_NEEDS));
  assert(holdsOnly(parseCapabilities(status('0000000000000000')), SERVE_NEEDS));
  assert(!holdsOnly(parseCapabilities(status('0000000000003400')), SERVE_NEEDS));
});

test('setpriv keeps only the needed capabilities, and shrinks the bounding set where it can', () => {
  assert.deepEqual(setprivArguments(['CAP_NET_RAW'], true), [
    '--no-new-privs',
    '--bounding-set=-all,+net_raw',
    '--inh-caps=-all,+net_raw',
    '--ambient-caps=-all,+net_raw',
  ]);
  assert(!setprivArguments(['CAP_NET_RAW'], false).some((argument) => argument.startsWith('--bounding-set')));
});
