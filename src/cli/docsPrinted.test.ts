import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missingText } from '../image/build.ts';
import { agentLacks, lackText } from '../image/check/agentNeeds.ts';
import { logLine } from '../log/line.ts';
import type { Event } from '../model/event.ts';
import { ip, mac } from '../site/testing/fixture.ts';
import { diagnose } from '../timeline/diagnose.ts';
import { diagnosisText } from '../words/diagnosis.ts';
import { changesText } from './imageShell.ts';
import { blocksIn, pages } from './testing/docsFixture.ts';

/** Where the text of a service's log is read from, as nova-compute writes it. */
const REFUSED =
  'ERROR oslo.messaging._drivers.impl_rabbit [-] Connection failed: (0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN.';

function why(): string {
  const { summary, advice } = diagnosisText(
    diagnose(
      {
        name: 'node02',
        mac: mac('52:54:00:00:00:52'),
        macs: [mac('52:54:00:00:00:52')],
        ip: '10.0.0.52',
        lease: null,
        state: 'booting',
        image: 'bookworm-nova',
        profiles: [],
        entry: null,
        files: null,
        boot: {
          startedAt: 0,
          updatedAt: 0,
          state: 'booting',
          steps: [
            {
              at: 0,
              code: 'service',
              subject: 'nova-compute',
              status: 'running',
              detail: 'still starting after 64 s',
              output: REFUSED,
            },
          ],
        },
      },
      true,
      0,
    ),
  );
  return `$ reveille why node02\n${[summary, ...advice.slice(0, 1).map((line) => `  ${line}`)].join('\n')}`;
}

function log(): string {
  const node = {
    at: 0,
    mac: mac('52:54:00:00:00:51'),
    node: 'node01',
    via: 'br0',
    stage: 'firmware',
    network: 'rack',
  } as const;
  const at = ip('10.0.0.51');
  const events: Event[] = [
    { ...node, kind: 'dhcp.discover' },
    { ...node, kind: 'dhcp.offer', ip: at },
    { ...node, kind: 'dhcp.request', requested: at, chosen: ip('10.0.0.2') },
    { ...node, kind: 'dhcp.ack', ip: at },
    { at: 0, kind: 'tftp.sent', ip: at, node: 'node01', file: 'pxelinux.0', role: 'loader', bytes: 42_000, ms: 12 },
  ];
  return events.map(logLine).join('\n');
}

function libraries(): string {
  const missing = {
    path: '/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so',
    package: 'qemu-block-extra',
    libraries: ['librbd.so.1', 'librados.so.2'],
  };
  return `image bookworm-nova lacks libraries that its own files are linked to:\n  ${missingText(missing)}`;
}

function changes(): string {
  return changesText({
    packages: { installed: [{ name: 'tcpdump', version: '4.99.3-1' }], removed: [], changed: [] },
    files: { added: [], changed: [], removed: ['/etc/motd'] },
  } as unknown as Parameters<typeof changesText>[0]);
}

/** Of a root that has nothing, what the page shows of it. */
function agent(): string {
  const index = { entries: new Map(), links: new Map(), moduleLists: new Map(), osRelease: 'ID=debian\n' };
  const all = agentLacks({ index, kernelVersion: '6.1', dropped: () => undefined, driversLoaded: true }).map(lackText);
  const shown = all.filter((line) => /: package (curl|iproute2)$/.test(line));
  return ['the agent does not work in image nova, which lacks:', ...shown.map((line) => `  ${line}`)].join('\n');
}

/** Blocks of what the program prints, by how they begin. */
const PRINTED: readonly (readonly [page: string, begins: string, printed: () => string])[] = [
  ['README.md', '$ reveille why node02', why],
  ['docs/operators-guide.md', 'DHCPDISCOVER from', log],
  ['docs/images.md', 'the agent does not work', agent],
  ['docs/images.md', 'image bookworm-nova lacks libraries', libraries],
  ['docs/images.md', 'What you changed is thrown away', changes],
];

describe('what the documents show as printed', () => {
  for (const [page, begins, printed] of PRINTED) {
    it(`is what the program prints: ${page}, ${begins}`, () => {
      const block = blocksIn(page).find(({ language, text }) => language === '' && text.startsWith(begins));
      assert.ok(block, 'the page has no such block any more');
      assert.equal(block.text.trimEnd(), printed().trimEnd());
    });
  }

  it('is known to this test, block by block, beside configuration of other programs', () => {
    const others = /^(table inet|<state>|local7\.|\/var\/log|NFS_CORE_PARAM|overlays\/web)/;
    const tested = PRINTED.map(([, begins]) => begins);
    const unknown = pages('*.md', 'docs/*.md').flatMap((page) =>
      blocksIn(page)
        .filter(({ language, text }) => language === '' && !others.test(text))
        .filter(({ text }) => !tested.some((begins) => text.startsWith(begins)))
        .map(({ line, text }) => `${page}:${line}: ${text.split('\n')[0]}`),
    );
    assert.deepEqual(unknown, []);
  });
});
