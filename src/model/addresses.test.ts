import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  broadcastOf,
  dashedIpv4,
  formatIpv4,
  formatSubnet,
  hexIpv4,
  type Ipv4,
  inRange,
  inSubnet,
  netmaskOf,
  parseIpv4,
  parseRange,
  parseSubnet,
} from './ipv4.ts';
import { bootif, macFromBytes, parseAnyMac, parseMac, writeMac } from './mac.ts';

const anyIp = fc.nat({ max: 0xffffffff }).map((n) => n as Ipv4);

describe('IPv4 addresses', () => {
  it('are the same after writing and reading', () => {
    fc.assert(fc.property(anyIp, (ip) => assert.equal(parseIpv4(formatIpv4(ip)), ip)));
  });

  for (const text of ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.-4', '1.2.3.4 ', 'a.b.c.d', '1..2.3']) {
    it(`refuse ${JSON.stringify(text)}`, () => assert.equal(parseIpv4(text), undefined));
  }

  it('have the spellings that file names use', () => {
    const ip = parseIpv4('10.0.0.51') as Ipv4;
    assert.equal(dashedIpv4(ip), '10-0-0-51');
    assert.equal(hexIpv4(ip), '0A000033');
  });
});

describe('subnets', () => {
  it('hold exactly the addresses from their base to their broadcast address', () => {
    fc.assert(
      fc.property(anyIp, fc.nat({ max: 32 }), anyIp, (ip, prefix, other) => {
        const base = ((ip & netmaskOf(prefix)) >>> 0) as Ipv4;
        const subnet = { base, prefix };
        assert.deepEqual(parseSubnet(formatSubnet(subnet)), subnet);
        assert.ok(inSubnet(subnet, ip));
        assert.equal(inSubnet(subnet, other), other >= base && other <= broadcastOf(subnet));
      }),
    );
  });

  for (const text of ['10.0.0.1/24', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/24/1', '10.0.0.0/x', '10.0.0.0/']) {
    it(`refuse ${text}`, () => assert.equal(parseSubnet(text), undefined));
  }
});

describe('ranges', () => {
  it('include both ends', () => {
    const range = parseRange('10.0.0.200-10.0.0.220');
    assert.ok(range);
    assert.ok(inRange(range, range.first) && inRange(range, range.last));
    assert.equal(inRange(range, (range.last + 1) as Ipv4), false);
  });
  it('may be one address', () => assert.deepEqual(parseRange('10.0.0.9'), parseRange('10.0.0.9-10.0.0.9')));
  for (const text of ['10.0.0.9-10.0.0.8', '10.0.0.9-', '-10.0.0.9', '1.1.1.1-1.1.1.2-1.1.1.3']) {
    it(`refuse ${text}`, () => assert.equal(parseRange(text), undefined));
  }
});

describe('MAC addresses', () => {
  for (const text of ['52:54:00:00:00:5A', '52-54-00-00-00-5a', '5254.0000.005a', ' 52:54:00:00:00:5a ']) {
    it(`read ${text}`, () => assert.equal(parseMac(text), '52:54:00:00:00:5a'));
  }
  for (const text of ['', '52:54:00:00:00', '52:54:00:00:00:5g', '525400000051', '52:54:00:00:00:51:00']) {
    it(`refuse ${JSON.stringify(text)}`, () => assert.equal(parseMac(text), undefined));
  }
  for (const text of ['52540000005A', '525400-00005a', '52 54 00 00 00 5a', '5254.0000.005a', '52:54:00:00:00:5a']) {
    it(`read ${text} of an inventory`, () => assert.equal(parseAnyMac(text), '52:54:00:00:00:5a'));
  }
  for (const text of [
    '',
    '52540000005',
    '52540000005g',
    '5:2540000005a',
    '525400000051 5254000000a3',
    '52::54:00:00:00:5a',
  ]) {
    it(`refuse ${JSON.stringify(text)} of an inventory`, () => assert.equal(parseAnyMac(text), undefined));
  }
  it('are the same after writing and reading bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const back = new Uint8Array(6);
        const mac = macFromBytes(bytes);
        assert.equal(parseMac(mac), mac);
        writeMac(mac, back);
        assert.deepEqual(back, bytes);
      }),
    );
  });
  it('are spelled for BOOTIF with the hardware type', () => {
    assert.equal(bootif(macFromBytes(new Uint8Array([0x52, 0x54, 0, 0, 0, 0x51]))), '01-52-54-00-00-00-51');
  });
});
