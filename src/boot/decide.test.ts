import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LoaderChoice, SiteNode } from '../model/node.ts';
import { ip, mac, nodeFixture } from '../site/fixture.ts';
import type { BootClient } from './client.ts';
import { decideBoot } from './decide.ts';

const MAC = mac('52:54:00:00:00:51');
const SERVER = { ip: ip('10.0.0.2'), httpPort: 8080 };
const SCRIPT = 'http://10.0.0.2:8080/boot/ipxe/52:54:00:00:00:51';
const IPXE = { http: true, menu: true, own: false };

const node = (loader: LoaderChoice): SiteNode => nodeFixture({ loader });
const client = (changes: Partial<BootClient> = {}): BootClient => ({ mac: MAC, firmware: 'bios', ...changes });

describe('what a client loads next', () => {
  const rows: [string, BootClient, SiteNode | undefined, string | undefined][] = [
    ['a stranger', client(), undefined, undefined],
    ['a stranger under iPXE', client({ ipxe: IPXE }), undefined, undefined],
    ['a node that only has an address', client(), nodeFixture({}, []), undefined],
    ['a node that boots a menu entry', client(), nodeFixture({ boot: 'nova' }, []), 'undionly.kpxe'],
    ['BIOS, auto', client(), node('auto'), 'undionly.kpxe'],
    ['BIOS, ipxe', client(), node('ipxe'), 'undionly.kpxe'],
    ['BIOS, pxelinux', client(), node('pxelinux'), 'pxelinux.0'],
    ['BIOS under iPXE, auto', client({ ipxe: IPXE }), node('auto'), SCRIPT],
    ['BIOS under iPXE, ipxe', client({ ipxe: IPXE }), node('ipxe'), SCRIPT],
    ['BIOS under iPXE, pxelinux', client({ ipxe: IPXE }), node('pxelinux'), 'pxelinux.0'],
    ['an old iPXE ROM without HTTP', client({ ipxe: { ...IPXE, http: false } }), node('auto'), 'undionly.kpxe'],
    [
      'our own iPXE without HTTP must not loop',
      client({ ipxe: { http: false, menu: false, own: true } }),
      node('auto'),
      undefined,
    ],
    ['x64 UEFI, auto', client({ firmware: 'efi-x64' }), node('auto'), 'snponly.efi'],
    ['x64 UEFI under iPXE', client({ firmware: 'efi-x64', ipxe: IPXE }), node('auto'), SCRIPT],
    ['x64 UEFI cannot start pxelinux', client({ firmware: 'efi-x64' }), node('pxelinux'), undefined],
    ['firmware that nothing is known of', client({ firmware: 'unknown' }), node('auto'), undefined],
  ];
  for (const [name, asking, who, bootFile] of rows) {
    it(`${name}: ${bootFile ?? 'nothing'}`, () => {
      const answer = decideBoot(asking, who, SERVER);
      assert.equal(answer.kind === 'boot' ? answer.bootFile : undefined, bootFile);
      assert.notEqual(answer.reason, '');
    });
  }

  it('gives pxelinux its path prefix, which it must not inherit from elsewhere', () => {
    const answer = decideBoot(client(), node('pxelinux'), SERVER);
    assert.equal(answer.kind === 'boot' && answer.pathPrefix, '/');
  });

  it('leaves the port out of the address where it is the usual one', () => {
    const answer = decideBoot(client({ ipxe: IPXE }), node('auto'), { ...SERVER, httpPort: 80 });
    assert.equal(answer.kind === 'boot' && answer.bootFile, 'http://10.0.0.2/boot/ipxe/52:54:00:00:00:51');
  });
});
