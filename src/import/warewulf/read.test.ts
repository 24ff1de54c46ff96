import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPlace, ReveilleError } from '../../errors.ts';
import { ip } from '../../site/fixture.ts';
import { findingText, withSiteFolder } from '../../site/folderFixture.ts';
import { loadSite } from '../../site/load.ts';
import { SiteDraft } from '../draft.ts';
import { writeSite } from '../write.ts';
import { readWarewulf } from './read.ts';

const AROUND = { addresses: new Map([['br0', [{ ip: ip('10.0.0.2'), prefix: 24 }]]]) };

/** As versions before 4.6 wrote it: container, kernel words in one text, a default profile that need not be named. */
const OLD = `WW_INTERNAL: 43
nodeprofiles:
  default:
    comment: This profile is automatically included for each node
    cluster name: example
    container name: rocky-8
    kernel:
      override: 4.18.0
      args: quiet crashkernel=no
    runtime overlay: generic,hosts
    system overlay: [wwinit]
    ipxe template: default
    ipmi: { username: admin, password: secret, netmask: 255.255.255.0 }
    network devices:
      default: { device: eth0, netmask: 255.255.255.0, gateway: 10.0.0.1, default: "true" }
    keys: { site: here }
  gpu: { comment: "--", kernel args: nomodeset, discoverable: "false" }
nodes:
  n0000.cluster:
    network devices:
      default: { hwaddr: 52:54:00:00:00:01, ipaddr: 10.0.0.101 }
      ib0: { type: infiniband, ipaddr: 10.1.0.101, netmask: 255.255.0.0 }
    ipmi: { ipaddr: 10.9.0.101 }
  n0001.cluster:
    profiles: [default, gpu]
    discoverable: "true"
    network devices:
      default: { hwaddr: "52:54:00:00:00:02", ipaddr: 10.0.0.102 }
  n0002.cluster:
    discoverable: "true"
    network devices:
      default: { ipaddr: 10.0.0.103 }
`;

/** As version 4.6 writes it: image, lists, profiles that have profiles. */
const NEW = `nodeprofiles:
  base:
    profiles: [net]
    image name: rockylinux-9
    runtime overlay: [hosts, ssh.authorized_keys, syncuser]
    system overlay: [hostname, wwinit, ssh.host_keys]
    kernel: { args: [quiet, "vga=791"], version: 5.14.0 }
    init: /sbin/init
    root: initramfs
    resources:
      fstab: [{ spec: "nas:/home", file: /home, vfstype: nfs }]
  net:
    primary network: management
    network devices:
      management: { type: ethernet, netmask: 255.255.252.0, gateway: 172.16.0.1, mtu: 9000, tags: { DNS1: 172.16.0.5, DNS2: 9.9.9.9 } }
nodes:
  wn1:
    profiles: [base]
    tags: { rack: r1 }
    asset key: A-17
    network devices:
      default: { hwaddr: e6:92:39:49:7b:02, ipaddr: 192.168.3.21, netmask: 255.255.255.0 }
      management: { hwaddr: e6:92:39:49:7b:03, ipaddr: 172.16.1.1, onboot: true }
    disks: { /dev/vda: { wipe_table: true } }
  wn2:
    profiles: [base]
    network devices:
      management: { hwaddr: e6:92:39:49:7b:04, ipcidr: 172.16.1.2/22 }
`;

describe('nodes.conf of Warewulf', () => {
  for (const [name, text] of Object.entries({ old: OLD, new: NEW })) {
    it(`becomes the site and the report of fixtures/${name}.yaml and ${name}.txt`, () =>
      withSiteFolder({ 'nodes.conf': text }, async (folder) => {
        const draft = new SiteDraft();
        await readWarewulf(draft, join(folder, 'nodes.conf'), AROUND);
        await writeSite(draft, join(folder, 'out'), ['nodes.conf']);
        const loaded = await loadSite(join(folder, 'out'));
        assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
        const remarks = draft.remarks.map(
          ({ kind, place, what, why }) =>
            `${kind} ${formatPlace(place)} ${what}${why === undefined ? '' : `: ${why}`}\n`,
        );
        const golden = (ending: string) => readFile(join(import.meta.dirname, `fixtures/${name}.${ending}`), 'utf8');
        assert.equal(await readFile(join(folder, 'out/site.yaml'), 'utf8'), await golden('yaml'));
        assert.equal(remarks.join(''), await golden('txt'));
      }));
  }

  const refused: [string, string][] = [
    ['nodes: [', 'nodes.conf:1:9: not YAML'],
    ['nodes: { a: { conatiner name: x } }', 'nodes.conf:1:15: Warewulf has no key "conatiner name" here'],
    ['nodez: {}', 'nodes.conf:1:1: Warewulf\'s nodes.conf has no key "nodez"'],
    ['nodes: { a: 5 }', 'nodes.conf:1:13: expected a map, found the number 5'],
    ['nodes: { a: { profiles: [b] } }', 'nodes.conf:1:10: there is no profile "b"'],
    ['nodes: { a: { network devices: { d: { hwaddr: x } } } }', 'nodes.conf:1:10: "x" is not a MAC address'],
    ['nodes: { a: { network devices: { d: { mac: x } } } }', 'nodes.conf:1:39: Warewulf has no key "mac" here'],
    ['nodes: { a: { comment: [1] } }', 'nodes.conf:1:24: expected text, found a list'],
    [
      'nodeprofiles: { p: { profiles: [p] } }\nnodes: { a: { profiles: [p] } }',
      'nodes.conf:1:17: profile p has profiles too deeply',
    ],
  ];
  for (const [text, told] of refused) {
    it(`is refused: ${text}`, () =>
      withSiteFolder({ 'nodes.conf': text }, async (folder) => {
        await assert.rejects(readWarewulf(new SiteDraft(), join(folder, 'nodes.conf'), AROUND), (error) => {
          assert.ok(error instanceof ReveilleError && error.code === 'IMPORT_INVALID' && error.place);
          assert.ok(`${formatPlace(error.place)}: ${error.message}`.startsWith(told), error.message);
          return true;
        });
      }));
  }

  it('is read whatever it holds, or refused', async () => {
    const key = fc.constantFrom(
      'nodes',
      'nodeprofiles',
      'default',
      'profiles',
      'network devices',
      'hwaddr',
      'ipaddr',
      'tags',
    );
    const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, 5, 'default', '10.0.0.1', '52:54:00:00:00:01'),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(key, tie('any'), { maxKeys: 4 }),
      ),
    })).any;
    await fc.assert(
      fc.asyncProperty(value, (document) =>
        withSiteFolder({ 'nodes.conf': JSON.stringify(document) }, async (folder) => {
          try {
            await readWarewulf(new SiteDraft(), join(folder, 'nodes.conf'), AROUND);
          } catch (error) {
            assert.ok(error instanceof ReveilleError && error.code === 'IMPORT_INVALID', String(error));
          }
        }),
      ),
      { numRuns: 300 },
    );
  });
});
