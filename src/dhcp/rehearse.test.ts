import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideBoot } from '../boot/decide.ts';
import { mac, siteFixture } from '../site/fixture.ts';
import { read } from './optionSet.ts';
import { OPTION } from './options.ts';
import { rehearse } from './rehearse.ts';

const site = siteFixture();
const play = (address: string, architecture: number, ipxe: boolean) =>
  rehearse(
    { mac: mac(address), architecture, ipxe },
    site,
    [],
    (client, node, network) => decideBoot(client, node, { ip: network.server, httpPort: 8080 }),
    0,
  );

describe('a rehearsed DISCOVER', () => {
  const rows: [string, number, boolean, string | undefined][] = [
    ['52:54:00:00:00:51', 0, false, 'undionly.kpxe'],
    ['52:54:00:00:00:51', 7, false, 'snponly.efi'],
    ['52:54:00:00:00:51', 0, true, 'http://10.0.0.2:8080/boot/ipxe/52:54:00:00:00:51'],
    ['52:54:00:00:01:00', 0, false, undefined],
  ];
  for (const [address, architecture, ipxe, file] of rows) {
    it(`of ${address}, architecture ${architecture}${ipxe ? ', iPXE' : ''}, is told ${file ?? 'an address only'}`, () => {
      const { decision, reply } = play(address, architecture, ipxe);
      assert.equal(decision.kind, 'offer');
      assert.equal(reply && read(reply.options, OPTION.bootFile), file);
    });
  }

  it('of a stranger where no pool is open to it is not answered', () => {
    const { decision, reply } = play('52:54:00:00:99:99', 0, false);
    assert.equal(decision.kind, 'silence');
    assert.equal(reply, undefined);
  });
});

describe('options shown to people', () => {
  const rows: [keyof typeof OPTION, string, string][] = [
    ['dns', '0a0000010a000002', '10.0.0.1, 10.0.0.2'],
    ['routes', '180a0100' + '0a0000fe', '10.1.0.0/24 via 10.0.0.254'],
    ['search', '0161016200', 'a.b'],
    ['vendor', '060108ff', '060108ff'],
    ['hostname', '6e31', 'n1'],
    ['mtu', '2328', '9000'],
  ];
  for (const [name, hex, shown] of rows) {
    it(`${name}: ${shown}`, () => {
      const { kind } = OPTION[name];
      const value = kind.decode(Buffer.from(hex, 'hex'));
      assert.notEqual(value, undefined);
      assert.equal(kind.show(value as never), shown);
    });
  }
});
