import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ReveilleError } from '../../errors.ts';
import { formatIpv4, type Ipv4 } from '../../model/ipv4.ts';
import { ip, mac, networkFixture, siteFixture } from '../../site/testing/fixture.ts';
import { SiteDraft } from '../draft.ts';
import { leasesFor, parseLeases } from './leases.ts';

const FILE = `# The format of this file is documented in the dhcpd.leases(5) manual page.
# This lease file was written by isc-dhcp-4.4.3-P1
authoring-byte-order little-endian;
server-duid "\\000\\001\\000\\001+\\344\\\\\\030RT\\000\\022";

failover peer "dhcp" state {
  my state normal at 2 2029/01/02 03:04:05;
  partner state normal at 2 2029/01/02 03:04:05;
}
lease 10.0.0.200 {
  starts 2 2029/01/02 03:04:05;
  ends 2 2029/01/02 05:04:05;
  cltt 2 2029/01/02 03:04:05;
  binding state active;
  next binding state free;
  rewind binding state free;
  hardware ethernet 52:54:00:00:00:01;
  uid "\\001RT\\000\\000\\000\\001";
  set vendor-class-identifier = "PXE;Client}";
  client-hostname "old";
}
lease 10.0.0.201 {
  starts epoch 1861931045; # Tue Jan  2 03:04:05 2029
  ends never;
  binding state active;
  hardware ethernet 52:54:00:00:00:02;
  uid 01:52:54:00:00:00:02;
  on expiry or release { set a = "b"; log (info, "gone"); }
}
lease 10.0.0.202 { starts 2 2029/01/02 03:04:05; ends 2 2029/01/02 05:04:05; binding state free; hardware ethernet 52:54:00:00:00:03; }
lease 10.0.0.203 { ends 2 2029/01/02 05:04:05; binding state abandoned; client-hostname "?"; }
lease 10.0.0.204 { ends 2 2029/01/02 05:04:05; binding state active; hardware token-ring 52:54:00:00:00:04; }
lease 10.9.9.9 { ends 2 2029/01/02 05:04:05; binding state active; hardware ethernet 52:54:00:00:00:05; }
lease 10.0.0.90 { ends 2 2029/01/02 05:04:05; binding state active; hardware ethernet 52:54:00:00:00:08; }
lease 10.0.0.51 { ends 2 2029/01/02 05:04:05; binding state active; hardware ethernet 52:54:00:00:00:06; }
lease 10.0.0.205 { ends 2 2029/01/02 05:04:05; binding state active; hardware ethernet 52:54:00:00:00:07; }
lease 10.0.0.206 { ends 2 2029/01/02 05:05:05; binding state active; hardware ethernet 52:54:00:00:00:07; }
lease 10.0.0.200 {
  starts 2 2029/01/02 04:04:05;
  ends 2 2029/01/02 06:04:05;
  binding state active;
  hardware ethernet 52:54:00:00:00:01;
  client-hostname "new";
}
`;

const POOL = {
  range: { first: ip('10.0.0.200'), last: ip('10.0.0.206') },
  allow: ['any'],
  deny: [],
  options: new Map(),
};
const SITE = siteFixture({ networks: new Map([['rack', networkFixture({ name: 'rack', pools: [POOL] })]]) });
const NOW = Date.UTC(2029, 0, 2, 4, 30);

describe('dhcpd.leases', () => {
  const written = parseLeases('dhcpd.leases', FILE);

  it('counts the last block of each address', () => {
    const lease = written.find((one) => one.ip === ip('10.0.0.200'));
    assert.equal(lease?.hostname, 'new');
    assert.equal(lease?.clientId, undefined);
    assert.equal(lease?.ends, Date.UTC(2029, 0, 2, 6, 4, 5));
    assert.equal(written.length, 10);
  });

  it('reads times, identifiers and what stands between them', () => {
    const lease = written.find((one) => one.ip === ip('10.0.0.201'));
    assert.equal(lease?.starts, 1861931045000);
    assert.equal(lease?.ends, Number.POSITIVE_INFINITY);
    assert.deepEqual([...(lease?.clientId ?? [])], [1, 0x52, 0x54, 0, 0, 0, 2]);
    const [first] = parseLeases('x', FILE.slice(0, FILE.indexOf('lease 10.0.0.201')));
    assert.deepEqual([...(first?.clientId ?? [])], [1, 0x52, 0x54, 0, 0, 0, 1]);
  });

  it('is carried on where the site has a place for it', () => {
    const draft = new SiteDraft();
    const leases = leasesFor(SITE, written, NOW, draft);
    assert.deepEqual(
      leases.map((lease) => [formatIpv4(lease.ip), lease.mac, lease.hostname ?? '']),
      [
        ['10.0.0.201', mac('52:54:00:00:00:02'), ''],
        ['10.0.0.206', mac('52:54:00:00:00:07'), ''],
        ['10.0.0.200', mac('52:54:00:00:00:01'), 'new'],
      ],
    );
    assert.ok(leases.every(({ expires }) => Number.isSafeInteger(expires)));
    assert.deepEqual(
      draft.remarks.filter(({ kind }) => kind === 'left').map(({ what, why }) => `${what}: ${why}`),
      [
        'lease 10.0.0.203: an address that was found in use: it is tried anew before it is given out',
        'lease 10.0.0.204: its holder has no Ethernet address',
        'lease 10.9.9.9: it lies in no network of the site',
        'lease 10.0.0.90: it lies in no pool',
        'lease 10.0.0.51: the address is kept for node01',
        'lease 10.0.0.205: 52:54:00:00:00:07 has another that ends later, and a machine has one',
      ],
    );
  });

  it('leaves expired leases behind in silence', () => {
    const draft = new SiteDraft();
    const later = leasesFor(SITE, written, Date.UTC(2030, 0, 1), draft);
    assert.deepEqual(
      later.map((lease) => lease.ip as Ipv4),
      [ip('10.0.0.201')],
    );
  });

  it('is refused at the place of what is wrong', () => {
    for (const [text, message] of [
      ['lease 10.0.0.300 { }', 'expected an IPv4 address, found "10.0.0.300"'],
      [
        'lease 10.0.0.1 { starts 2 2029/13/02 03:04:05; }',
        'expected a time such as "4 2030/08/24 09:14:32", found "2 2029/13/02 03:04:05"',
      ],
      ['lease 10.0.0.1 { hardware ethernet zz; }', 'expected hex bytes apart by colons, found "zz"'],
      ['lease 10.0.0.1 {', 'expected "}", found the end of the file'],
    ] as const) {
      assert.throws(() => parseLeases('x', text), { code: 'IMPORT_INVALID', message });
    }
  });

  it('never throws anything but its own error', () => {
    const pieces = fc.constantFrom(
      'lease',
      '10.0.0.1',
      '{',
      '}',
      ';',
      'starts',
      'never',
      '4 2030/08/24 09:14:32',
      '"',
      'uid',
      'x',
      ':',
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 60 }).map((list) => list.join(' ')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseLeases('x', text);
        } catch (error) {
          if (!(error instanceof ReveilleError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
