import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BootReason } from '../model/bootReason.ts';
import type { LoaderChoice, SiteNode } from '../model/node.ts';
import { ip, mac, nodeFixture } from '../site/testing/fixture.ts';
import type { BootClient } from './client.ts';
import { decideBoot } from './decide.ts';

const MAC = mac('52:54:00:00:00:51');
const SERVER = { ip: ip('10.0.0.2'), httpPort: 8080 };
const SCRIPT = 'http://10.0.0.2:8080/boot/ipxe/52:54:00:00:00:51';
const IPXE = { http: true, menu: true, own: false };

const node = (loader: LoaderChoice): SiteNode => nodeFixture({ loader });
const client = (changes: Partial<BootClient> = {}): BootClient => ({ mac: MAC, firmware: 'bios', ...changes });

describe('what a client loads next', () => {
  const rows: [string, BootClient, SiteNode | undefined, string | undefined, BootReason['code']][] = [
    ['a stranger', client(), undefined, undefined, 'not-listed'],
    ['a stranger under iPXE', client({ ipxe: IPXE }), undefined, undefined, 'not-listed'],
    ['a node that only has an address', client(), nodeFixture({}, []), undefined, 'no-image'],
    ['a node that boots a menu entry', client(), nodeFixture({ boot: 'nova' }, []), 'undionly.kpxe', 'loader'],
    ['BIOS, auto', client(), node('auto'), 'undionly.kpxe', 'loader'],
    ['BIOS, ipxe', client(), node('ipxe'), 'undionly.kpxe', 'loader'],
    ['BIOS, pxelinux', client(), node('pxelinux'), 'pxelinux.0', 'loader'],
    ['BIOS under iPXE, auto', client({ ipxe: IPXE }), node('auto'), SCRIPT, 'ipxe-script'],
    ['BIOS under iPXE, ipxe', client({ ipxe: IPXE }), node('ipxe'), SCRIPT, 'ipxe-script'],
    ['BIOS under iPXE, pxelinux', client({ ipxe: IPXE }), node('pxelinux'), 'pxelinux.0', 'loader'],
    [
      'an old iPXE ROM without HTTP',
      client({ ipxe: { ...IPXE, http: false } }),
      node('auto'),
      'undionly.kpxe',
      'loader',
    ],
    [
      'our own iPXE without HTTP must not loop',
      client({ ipxe: { http: false, menu: false, own: true } }),
      node('auto'),
      undefined,
      'would-loop',
    ],
    ['x64 UEFI, auto', client({ firmware: 'efi-x64' }), node('auto'), 'snponly.efi', 'loader'],
    ['x64 UEFI under iPXE', client({ firmware: 'efi-x64', ipxe: IPXE }), node('auto'), SCRIPT, 'ipxe-script'],
    ['x64 UEFI cannot start pxelinux', client({ firmware: 'efi-x64' }), node('pxelinux'), undefined, 'no-method'],
    ['firmware that nothing is known of', client({ firmware: 'unknown' }), node('auto'), undefined, 'no-method'],
  ];
  for (const [name, asking, who, bootFile, code] of rows) {
    it(`${name}: ${bootFile ?? 'nothing'}`, () => {
      const answer = decideBoot(asking, who, SERVER);
      assert.equal(answer.kind === 'boot' ? answer.bootFile : undefined, bootFile);
      assert.equal(answer.reason.code, code);
    });
  }

  it('gives pxelinux its path prefix, which it must not inherit from elsewhere', () => {
    const answer = decideBoot(client(), node('pxelinux'), SERVER);
    assert.equal('pathPrefix' in answer && answer.pathPrefix, '/');
  });

  it('leaves the port out of the address where it is the usual one', () => {
    const answer = decideBoot(client({ ipxe: IPXE }), node('auto'), { ...SERVER, httpPort: 80 });
    assert.equal(answer.kind === 'boot' && answer.bootFile, 'http://10.0.0.2/boot/ipxe/52:54:00:00:00:51');
  });
});
