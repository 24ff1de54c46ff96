import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BootReason } from '../model/bootReason.ts';
import { parseIpv4 } from '../model/ipv4.ts';
import { bootReasonWords } from './boot.ts';

const first = parseIpv4('10.0.0.9') ?? assert.fail();

test('why a client boots what it boots', () => {
  const rows: [BootReason, string][] = [
    [
      { code: 'operator', bootFile: { of: 'network', name: 'rack' }, nextServer: { of: 'network', name: 'rack' } },
      'bootFile of network rack, nextServer of network rack',
    ],
    [{ code: 'operator', bootFile: { of: 'pool', first } }, 'bootFile of the pool from 10.0.0.9'],
    [
      { code: 'operator', bootFile: { of: 'class', name: 'c0' }, nextServer: { of: 'node', name: 'node01' } },
      'bootFile of class c0, nextServer of node01',
    ],
    [{ code: 'ipxe-script' }, 'iPXE with HTTP is asking: it runs its script'],
    [{ code: 'loader', firmware: 'bios', choice: 'pxelinux' }, 'bios firmware with loader: pxelinux'],
    [
      { code: 'no-method', firmware: 'efi-arm64', choice: 'auto' },
      'no loader for efi-arm64 firmware with loader: auto',
    ],
    [{ code: 'no-image', node: 'node01' }, 'node01 has no image: it gets an address only'],
    [{ code: 'not-listed' }, 'the site does not list this machine'],
    [{ code: 'not-asked' }, 'the client does not ask to boot'],
    [
      { code: 'would-loop', file: 'undionly.kpxe' },
      'undionly.kpxe is running already and lacks HTTP: chaining it again would loop',
    ],
  ];
  for (const [reason, words] of rows) assert.equal(bootReasonWords(reason), words);
});
