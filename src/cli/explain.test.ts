import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { withSiteFolder } from '../site/testing/folderFixture.ts';
import { explainCommand } from './explain.ts';
import { run } from './testing/runFixture.ts';

const routes = Array.from({ length: 60 }, (_, n) => `{ to: 10.${n + 1}.0.0/16, via: 10.8.0.1 }`);
const SITE = {
  'site.yaml': `networks:
  rack: { interface: absent0, subnet: 10.0.0.0/24, pools: [{ range: 10.0.0.100-10.0.0.110, allow: any }] }
  far: { subnet: 10.8.0.0/24, routes: [${routes.join(', ')}], gateway: 10.8.0.1 }
  bare: { interface: lo, subnet: 10.9.0.0/24 }
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, image: x }
  node02: { mac: 52:54:00:00:00:52, ip: 10.8.0.52 }
  node03: { mac: 52:54:00:00:00:53, ip: 10.9.0.53 }
`,
  'images/x.yaml': 'from: { debian: bookworm }\npackages: [linux-image-amd64]\n',
};

type Explained = { answer: string; ip: string | null; reason: string; bootFile: string | null; leftOut: string[] };

function explain(...args: string[]): Promise<Explained> {
  return withSiteFolder(SITE, async (folder) => {
    const places = ['--site', folder, '--state', join(folder, 'state'), '--json'];
    const { out, code } = await run(explainCommand(), [...args, ...places]);
    assert.equal(code, 0);
    return JSON.parse(out) as Explained;
  });
}

const SERVER = ['--server', '10.0.0.2'];
const says = (vendorClass: string, ...more: string[]) => ['node01', ...SERVER, '--vendor-class', vendorClass, ...more];

describe('reveille explain on a machine that is not the server', () => {
  const rows: [what: string, node: string, reason: RegExp][] = [
    [
      'the interface is not there',
      'node01',
      /^the interface absent0 of network rack is not on this machine, which has .*lo.*; run it on the server, or say the server's address: --server ADDRESS$/,
    ],
    [
      'nothing leads to a relay',
      'node02',
      /^this machine has no address that relays of network far could send to; run/,
    ],
    ['the interface has no address there', 'node03', /^lo has no address in 10\.9\.0\.0\/24 on this machine; run/],
  ];
  for (const [what, node, reason] of rows) {
    it(`says that ${what}`, async () => {
      const explained = await explain(node);
      assert.equal(explained.answer, 'silence');
      assert.match(explained.reason, reason);
    });
  }

  it('says it to strangers where no network is here', async () => {
    assert.match((await explain('52:54:00:00:0a:01')).reason, /^the interface absent0/);
  });

  it('answers as the server of the given address would', async () => {
    assert.deepEqual(
      [(await explain('node01', ...SERVER)).ip, (await explain('node03', ...SERVER)).ip],
      ['10.0.0.51', '10.9.0.53'],
    );
  });
});

describe('the architecture of the firmware', () => {
  const rows: [string, string[], bootFile: string | null][] = [
    ['is BIOS', ['node01', ...SERVER], 'undionly.kpxe'],
    ['is what --arch says', ['node01', ...SERVER, '--arch', '7'], 'snponly.efi'],
    ['is what the vendor class says', says('PXEClient:Arch:00007'), 'snponly.efi'],
    ['with more behind it', says('PXEClient:Arch:00009:UNDI:003016'), 'snponly.efi'],
    ['is --arch where both say it', says('PXEClient:Arch:00007', '--arch', '0'), 'undionly.kpxe'],
    ['is BIOS where the class says none', says('PXEClient'), 'undionly.kpxe'],
    ['is nothing that a number only resembles', says('PXEClient:Arch:7x'), 'undionly.kpxe'],
  ];
  for (const [what, args, bootFile] of rows) {
    it(what, async () => assert.equal((await explain(...args)).bootFile, bootFile));
  }
});

it('says by a code why it boots that, beside the words', async () => {
  const { bootReason, reason } = (await explain('node01', ...SERVER, '--arch', '7')) as {
    bootReason?: unknown;
    reason?: unknown;
  };
  assert.deepEqual(bootReason, { code: 'loader', firmware: 'efi-x64', choice: 'auto' });
  assert.equal(reason, 'efi-x64 firmware with loader: auto');
});

it('says which options do not fit', async () => {
  assert.deepEqual((await explain('node02', ...SERVER)).leftOut, ['option 121 classless-static-routes']);
  assert.deepEqual((await explain('node01', ...SERVER)).leftOut, []);
});
