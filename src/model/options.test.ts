import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ip } from '../site/testing/fixture.ts';
import { decodeNames } from './domainNames.ts';
import { parseSubnet } from './ipv4.ts';
import type { Route } from './network.ts';
import * as kinds from './optionKinds.ts';
import { encodeNamedOption, OPTIONS } from './options.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('what operators write under options:', () => {
  const rows: [string | number, unknown, string][] = [
    ['ntp-servers', '10.0.0.1', '0a000001'],
    ['42', ['10.0.0.1', '10.0.0.2'], '0a0000010a000002'],
    [42, ['10.0.0.1'], '0a000001'],
    ['domain-name', 'rack.example', Buffer.from('rack.example').toString('hex')],
    ['interface-mtu', 9000, '2328'],
    ['time-offset', -3600, 'fffff1f0'],
    ['ip-forwarding', true, '01'],
    ['domain-search', ['a.b', 'c'], '0161016200' + '016300'],
    ['classless-static-routes', [{ to: '10.1.0.0/16', via: '10.0.0.1' }], '100a010a000001'],
    ['121', { to: '0.0.0.0/0', via: '10.0.0.1' }, '000a000001'],
    ['vendor-encapsulated-options', '06:01:08', '060108'],
    [43, '0x060108', '060108'],
    [224, [1, 2, 255], '0102ff'],
    [224, { text: 'hello' }, Buffer.from('hello').toString('hex')],
    [224, { u32: 4294967295 }, 'ffffffff'],
    [60, { hex: '0102' }, '0102'],
    ['tftp-servers', ['10.0.0.2'], '0a000002'],
    ['pxelinux-path-prefix', '/x/', '2f782f'],
  ];
  for (const [key, value, expected] of rows) {
    test(`${key}: ${JSON.stringify(value)}`, () => {
      const encoded = encodeNamedOption(key, value);
      assert.ok(typeof encoded !== 'string', String(encoded));
      assert.equal(hex(encoded.bytes), expected);
    });
  }

  const refused: [string | number, unknown, RegExp][] = [
    ['ntp-server', 'time.example', /must be an IPv4 address or a list/],
    ['ntp-srvers', '10.0.0.1', /no option named ntp-srvers: did you mean ntp-servers\?/],
    [51, 60, /`lease`/],
    [82, '01', /for relays/],
    [0, '01', /padding/],
    [255, '01', /end/],
    [256, '01', /1 to 254/],
    [-1, '01', /1 to 254/],
    [1.5, '01', /1 to 254/],
    ['interface-mtu', 65536, /0 to 65535/],
    ['interface-mtu', '1500', /0 to 65535/],
    [224, 'hello', /bytes in hex/],
    [224, [256], /bytes in hex/],
    [224, { u16: 70000 }, /0 to 65535/],
    [224, { __proto__: null, constructor: 1 }, /bytes in hex/],
    ['121', [{ to: '10.1.0.1/16', via: '10.0.0.1' }], /routes/],
    ['domain-search', ['a..b'], /domain name/],
    ['domain-search', [], /domain name/],
    ['domain-name', '', /text/],
    ['domain-name', null, /text/],
    ['domain-name', 'x'.repeat(1025), /longer than 1024/],
  ];
  for (const [key, value, problem] of refused) {
    test(`${key}: ${JSON.stringify(value)?.slice(0, 40)} is refused`, () => {
      assert.match(String(encodeNamedOption(key, value)), problem);
    });
  }

  test('every name means one code, every code one kind', () => {
    const names = OPTIONS.flatMap((option) => option.names);
    assert.equal(new Set(names).size, names.length);
    const codes = OPTIONS.map((option) => option.code);
    assert.equal(new Set(codes).size, codes.length);
  });
});

describe('option payloads', () => {
  const address = fc.nat(0xffffffff).map((value) => ip([24, 16, 8, 0].map((s) => (value >>> s) & 255).join('.')));
  const label = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'));
  const route: fc.Arbitrary<Route> = fc.tuple(fc.nat(32), address, address).map(([prefix, to, via]) => {
    const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
    const base = (to & mask) >>> 0;
    const text = `${[24, 16, 8, 0].map((s) => (base >>> s) & 255).join('.')}/${prefix}`;
    return { to: parseSubnet(text) ?? assert.fail(text), via };
  });
  const reads = <T>(kind: kinds.Kind<T>, values: fc.Arbitrary<T>) =>
    fc.assert(
      fc.property(values, (value) => {
        const bytes = kinds.encode(kind, value);
        assert.equal(bytes.length, kind.length(value));
        assert.deepEqual(kind.decode(bytes), value);
      }),
    );

  test('read back what was written', () => {
    reads(kinds.ip, address);
    reads(kinds.ips, fc.array(address, { minLength: 1, maxLength: 60 }));
    reads(kinds.u8, fc.nat(255));
    reads(kinds.u16, fc.nat(65535));
    reads(kinds.u32, fc.nat(0xffffffff));
    reads(kinds.i32, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
    reads(kinds.flag, fc.boolean());
    reads(
      kinds.text,
      fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.endsWith('\0')),
    );
    reads(kinds.names, fc.array(name, { minLength: 1, maxLength: 10 }));
    const alike = fc.array(fc.constantFrom('a.example', 'b.a.example', 'example', 'x.b.a.example', 'a.b'), {
      minLength: 1,
      maxLength: 10,
    });
    reads(kinds.searchList, fc.oneof(alike, fc.array(name, { minLength: 1, maxLength: 10 })));
    reads(kinds.routes, fc.array(route, { minLength: 1, maxLength: 20 }));
  });

  test('any bytes at all are read without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const { kind } of OPTIONS) kind.decode(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test('option 119 follows compression pointers backwards only (RFC 3397)', () => {
    const eng = Buffer.from('03656e67056170706c6503636f6d00' + '096d61726b6574696e67c004', 'hex');
    assert.deepEqual(decodeNames(eng), ['eng.apple.com', 'marketing.apple.com']);
    for (const bad of ['c000', '0161c000', '0161c005', '0161c0', '05616263', '40', '00', '01', '']) {
      assert.equal(decodeNames(Buffer.from(bad, 'hex')), undefined, bad);
    }
  });

  test('many pointers to one long name stay bounded', () => {
    const long = Buffer.concat([
      ...Array.from({ length: 4 }, () => Buffer.from(`\x3e${'a'.repeat(62)}`)),
      Buffer.alloc(1),
    ]);
    const bomb = Buffer.concat([long, ...Array.from({ length: 2000 }, () => Buffer.from([0xc0, 0]))]);
    assert.equal(decodeNames(bomb), undefined);
  });

  test('a route with too many bits or too few bytes is none', () => {
    for (const bad of ['210a0000010a000001', '180a00010a0000', '']) {
      assert.equal(kinds.routes.decode(Buffer.from(bad, 'hex')), undefined, bad);
    }
  });
});
