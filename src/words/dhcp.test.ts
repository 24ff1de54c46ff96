import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { machine } from '../dhcp/testing/fixture.ts';
import type { PoolVerdict } from '../model/pools.ts';
import type { LeaseEnd, Refusal } from '../model/refusal.ts';
import { ip } from '../site/testing/fixture.ts';
import { leaseEnded, poolWords, refusalWords, refused } from './dhcp.ts';

/** Each code once, with values; the compiler holds it complete. */
const REFUSALS: { readonly [code in Refusal['code']]: readonly [Refusal & { readonly code: code }, words: string] } = {
  'interface-unserved': [
    { code: 'interface-unserved', interface: 'eth9' },
    'no network of the site is reached through eth9',
  ],
  'relay-unknown': [
    { code: 'relay-unknown', relay: ip('172.16.0.1') },
    'the relay 172.16.0.1 belongs to no network of the site: its address lies in no subnet and under no `relays`',
  ],
  'leases-unknown': [{ code: 'leases-unknown' }, 'the leases of the state are not known yet'],
  'message-unanswered': [{ code: 'message-unanswered' }, 'the message type is none that a server answers'],
  'pools-closed': [{ code: 'pools-closed', node: 'node03' }, 'no pool here is open to node03, a known node,'],
  'pools-used-up': [{ code: 'pools-used-up' }, 'every pool that is open to a stranger is used up'],
  'pools-kept-for-nodes': [
    { code: 'pools-kept-for-nodes' },
    'what is left of the pools that are open to a stranger is kept for nodes',
  ],
  'pool-kept-for-nodes': [{ code: 'pool-kept-for-nodes' }, 'what is left of the pool is kept for nodes'],
  'switch-port-full': [
    { code: 'switch-port-full', most: 3 },
    'its switch port has 3 addresses of machines that the site does not list: dhcp.strangersPerPort',
  ],
  'relay-full': [
    { code: 'relay-full', relay: '10.0.0.9', most: 1000 },
    'its relay 10.0.0.9 has 1000 addresses of machines that the site does not list: dhcp.strangersPerRelay',
  ],
  'strangers-limited': [
    { code: 'strangers-limited', rate: 10 },
    'more than 10 new machines a second that the site does not list ask here: dhcp.strangersPerSecond',
  ],
  'address-missing': [{ code: 'address-missing' }, 'a REQUEST that names no address'],
  'address-off-wire': [{ code: 'address-off-wire' }, 'the address is of no network on this wire'],
  'address-taken': [{ code: 'address-taken' }, 'the address is taken'],
  'address-pool-closed': [{ code: 'address-pool-closed' }, 'no pool with this address is open to it'],
  'address-foreign': [{ code: 'address-foreign' }, 'the address is not ours to give: another server may have given it'],
  'node-has-address': [{ code: 'node-has-address', node: 'node01' }, 'node01 has an address of its own'],
  'node-of-other-network': [
    { code: 'node-of-other-network', node: 'node03', network: 'lan' },
    'node03 belongs to network lan',
  ],
  'lease-unrecorded': [
    { code: 'lease-unrecorded' },
    'no record of the lease that it asks for: another server may have given it',
  ],
  'routed-lease-unrecorded': [
    { code: 'routed-lease-unrecorded' },
    'no record of the lease that it renews from behind a router',
  ],
  'renewal-source-differs': [
    { code: 'renewal-source-differs' },
    'a renewal that does not come from the address that it renews',
  ],
  'decline-not-ours': [{ code: 'decline-not-ours' }, 'a DECLINE of an address that is not ours'],
  'decline-not-held': [{ code: 'decline-not-held' }, 'a DECLINE of an address that it was not given'],
  'decline-own-address': [
    { code: 'decline-own-address', node: 'node01' },
    'node01 declined its own address: another machine uses it',
  ],
  'release-not-held': [{ code: 'release-not-held' }, 'a RELEASE of an address that it does not hold'],
  'release-source-differs': [
    { code: 'release-source-differs' },
    'a RELEASE that does not come from the address that it gives back',
  ],
  'lease-on-other-wire': [
    { code: 'lease-on-other-wire' },
    'a RELEASE or DECLINE that does not come from the wire of the lease',
  ],
  'inform-without-address': [{ code: 'inform-without-address' }, 'an INFORM that has no address and comes from none'],
  'inform-off-wire': [{ code: 'inform-off-wire' }, 'an INFORM from an address of no network on this wire'],
  'bootp-without-own-address': [
    { code: 'bootp-without-own-address' },
    'BOOTP is answered for nodes that have an address of their own',
  ],
  'probes-busy': [{ code: 'probes-busy', probes: 256 }, '256 addresses are being tried already'],
  'own-address-in-use': [
    { code: 'own-address-in-use', ip: ip('10.0.0.51'), holder: machine(0x51) },
    '10.0.0.51 is kept for it, but still in use: it was given to 02:00:00:00:00:51, and a machine answers for it',
  ],
  'free-address-in-use': [
    { code: 'free-address-in-use', ip: ip('10.0.0.200') },
    '10.0.0.200 answers a probe though it is lent to no machine: it is set aside',
  ],
  'lease-unsaved': [{ code: 'lease-unsaved' }, 'the lease could not be saved'],
  'leases-waiting': [{ code: 'leases-waiting' }, 'too many leases wait for the disk'],
};

describe('a refusal in words', () => {
  for (const [code, [refusal, words]] of Object.entries(REFUSALS)) {
    test(code, () => {
      assert.equal(refusalWords(refusal), words);
      assert.deepEqual(refused(refusal), { code, reason: words });
    });
  }

  test('distinguishes nodes from machines that the site does not list', () => {
    assert.equal(refusalWords({ code: 'pools-closed' }), 'no pool here is open to a stranger');
    assert.equal(
      refusalWords({ code: 'pools-used-up', node: 'node03' }),
      'every pool that is open to node03, a known node, is used up',
    );
  });
});

test('the end of a lease in words', () => {
  const words: { readonly [end in LeaseEnd]: string } = {
    declined: 'another machine uses the address: it is set aside',
    released: 'given back',
    'released-by-operator': 'ended by an operator',
  };
  for (const [code, reason] of Object.entries(words)) assert.deepEqual(leaseEnded(code as LeaseEnd), { code, reason });
});

test('whether a pool is open in words', () => {
  const rows: [PoolVerdict, words: string][] = [
    [{ open: true, code: 'allowed', member: 'modems' }, 'open to class modems'],
    [{ open: true, code: 'allowed', member: 'any' }, 'open to anybody'],
    [{ open: false, code: 'denied', member: 'modems' }, 'closed to class modems'],
    [{ open: false, code: 'denied', member: 'unknown' }, 'closed to strangers'],
    [
      { open: false, code: 'not-allowed', members: ['known', 'modems'] },
      'open only to nodes of this site, class modems',
    ],
    [{ open: false, code: 'not-allowed', members: [] }, 'open only to no client'],
  ];
  for (const [verdict, words] of rows) assert.equal(poolWords(verdict), words);
});
