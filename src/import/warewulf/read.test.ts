import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPlace, ReveilleError } from '../../errors.ts';
import { loadSite } from '../../site/load.ts';
import { ip } from '../../site/testing/fixture.ts';
import { findingText, withSiteFolder } from '../../site/testing/folderFixture.ts';
import { unprovenClaims } from '../claims.ts';
import { SiteDraft, type SiteText } from '../draft.ts';
import { writeSite } from '../write.ts';
import { readWarewulf } from './read.ts';

const CONTEXT = { addresses: new Map([['br0', [{ ip: ip('10.0.0.2'), prefix: 24 }]]]) };

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
    it(`becomes the site and the report of testing/warewulf/${name}.yaml and ${name}.txt`, () =>
      withSiteFolder({ 'nodes.conf': text }, async (folder) => {
        const draft = new SiteDraft();
        await readWarewulf(draft, join(folder, 'nodes.conf'), CONTEXT);
        await writeSite(draft, join(folder, 'out'), ['nodes.conf']);
        const loaded = await loadSite(join(folder, 'out'));
        assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
        assert.deepEqual(unprovenClaims(draft), []);
        const remarks = draft.remarks.map(({ kind, place, what, why, weight }) => {
          const whom = weight === undefined ? '' : ` (${weight})`;
          return `${kind}${whom} ${formatPlace(place)} ${what}${why === undefined ? '' : `: ${why}`}\n`;
        });
        const golden = (ending: string) =>
          readFile(join(import.meta.dirname, `../testing/warewulf/${name}.${ending}`), 'utf8');
        assert.equal(await readFile(join(folder, 'out/site.yaml'), 'utf8'), await golden('yaml'));
        assert.equal(remarks.join(''), await golden('txt'));
      }));
  }

  const refused: [string, string][] = [
    ['nodes: [', 'nodes.conf:1:8: this [ is not closed'],
    [`nodes: ${'['.repeat(100_000)}`, 'nodes.conf:1:208: it is nested too deeply'],
    [`nodes: [\n${'- '.repeat(100_000)}`, 'nodes.conf:2:1: it is nested too deeply'],
    ['nodes: { a: 5 }', 'nodes.conf:1:13: expected a map, found the number 5'],
    ['nodes: { a: { network devices: { d: { hwaddr: x } } } }', 'nodes.conf:1:10: "x" is not a MAC address'],
    ['nodes: { a: { comment: [1] } }', 'nodes.conf:1:24: expected text, found a list'],
  ];
  for (const [text, told] of refused) {
    it(`is refused: ${text}`, () =>
      withSiteFolder({ 'nodes.conf': text }, async (folder) => {
        await assert.rejects(readWarewulf(new SiteDraft(), join(folder, 'nodes.conf'), CONTEXT), (error) => {
          assert.ok(error instanceof ReveilleError && error.code === 'IMPORT_INVALID' && error.place);
          assert.ok(`${formatPlace(error.place)}: ${error.message}`.startsWith(told), error.message);
          return true;
        });
      }));
  }

  /** Imports a text; the new site loads, and all that is called taken over is there. */
  async function imported(text: string, use: (site: SiteText, remarks: string) => void): Promise<void> {
    await withSiteFolder({ 'nodes.conf': text }, async (folder) => {
      const draft = new SiteDraft();
      await readWarewulf(draft, join(folder, 'nodes.conf'), { addresses: new Map(), interface: 'br0' });
      assert.deepEqual(unprovenClaims(draft), []);
      await writeSite(draft, join(folder, 'out'), ['nodes.conf']);
      const loaded = await loadSite(join(folder, 'out'));
      assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
      use(draft.site, draft.remarks.map(({ kind, what, why = '' }) => `${kind} ${what}: ${why}`).join('\n'));
    });
  }

  const DEVICE = 'hwaddr: "52:54:00:00:00:01", ipaddr: 192.0.2.11';
  const MASK = 'netmask: 255.255.255.0';

  const told: readonly (readonly [what: string, text: string, told: RegExp])[] = [
    [
      'a key that no version has',
      'nodes: { a: { conatiner name: x } }',
      /^left a: conatiner name: Warewulf has no such key and passes it over: did you mean "container name"/m,
    ],
    [
      'a key of a device that no version has',
      'nodes: { a: { network devices: { d: { mac: x } } } }',
      /^left a: mac: Warewulf has no such key/m,
    ],
    ['a section that no version has', 'nodez: {}', /^left nodez: Warewulf's nodes.conf has no such key/m],
    [
      'a node that is disabled (4.0)',
      'nodes: { a: { disabled: true } }',
      /^left a: disabled: Warewulf shows it and serves the node all the same/m,
    ],
    ['a node without devices', 'nodes: { a: {} }', /^left node a: it has no network device/m],
    [
      'a node without a MAC address',
      'nodes: { a: { network devices: { d: { ipaddr: 192.0.2.1 } } } }',
      /^left node a: its MAC address is not known/m,
    ],
    [
      'no address at all',
      'nodes: { a: { network devices: { d: { hwaddr: "52:54:00:00:00:01" } } } }',
      /^left networks: .* a site without networks answers no machine/m,
    ],
    [
      'an address without a netmask in other versions',
      `nodes: { a: { network devices: { d: { ${DEVICE} } } } }`,
      /^left address 192.0.2.11: its netmask is not given/m,
    ],
    [
      'a profile that is gone',
      `nodes: { a: { profiles: [b], network devices: { d: { ${DEVICE}, ${MASK} } } } }`,
      /^left a: profile b: there is no such profile, which Warewulf passes over: node a is written without it/m,
    ],
    [
      'a card that two nodes have',
      `nodes: { a: { network devices: { d: { ${DEVICE}, ${MASK} } } }, b: { network devices: { d: { ${DEVICE}, ${MASK} } } } }`,
      /^left node b: node a has its MAC address already/m,
    ],
    [
      'an address of a group of machines',
      'nodes: { a: { network devices: { d: { hwaddr: "53:54:00:00:00:01" } } } }',
      /^left node a: 53:54:00:00:00:01 is no card's address/m,
    ],
    [
      'an address that two nodes have',
      `nodes: { a: { network devices: { d: { ${DEVICE}, ${MASK} } } }, b: { network devices: { d: { hwaddr: "52:54:00:00:00:02", ipaddr: 192.0.2.11, ${MASK} } } } }`,
      /^left address 192.0.2.11: another node has 192.0.2.11 already/m,
    ],
    [
      'the address of the gateway',
      `nodes: { a: { network devices: { d: { ${DEVICE}, ${MASK}, gateway: 192.0.2.11 } } } }`,
      /^left address 192.0.2.11: 192.0.2.11 is the gateway of its network/m,
    ],
    [
      'the broadcast address',
      'nodes: { a: { network devices: { d: { hwaddr: "52:54:00:00:00:01", ipaddr: 192.0.2.255, netmask: 255.255.255.0 } } } }',
      /^left address 192.0.2.255: 192.0.2.255 is .* of its network/m,
    ],
    [
      'a profile whose name a site has none of',
      `nodeprofiles: { _a b: { tags: { x: y } }, a-b: { tags: { x: z } } }
nodes: { a: { profiles: [_a b, a-b], network devices: { d: { ${DEVICE}, ${MASK} } } } }`,
      /^changed profile _a b: it is called profile here/m,
    ],
  ];
  for (const [what, text, words] of told) {
    it(`is reported: ${what}`, () => imported(text, (_, remarks) => assert.match(remarks, words)));
  }

  const rows: readonly (readonly [what: string, text: string, node: object, network: object, profile?: object])[] = [
    [
      'the netmask that versions 4.3 to 4.5 take',
      `WW_INTERNAL: 45\nnodes: { a: { network devices: { default: { ${DEVICE} } } } }`,
      { ip: '192.0.2.11' },
      { subnet: '192.0.2.0/24' },
    ],
    [
      'tags and keys of the first device',
      `nodeprofiles: { default: { network devices: { default: { type: ethernet, device: eno1, ${MASK}, gateway: 192.0.2.1, mtu: 9000, onboot: true, tags: { DNS1: 192.0.2.3, DNS2: 192.0.2.4, DNSSEARCH: "a.org b.org", route1: x, zone: trusted } } } } }
nodes: { a: { network devices: { default: { ${DEVICE}, ip6addr: "fd00::1", tags: { own: y } } } } }`,
      {
        ip: '192.0.2.11',
        profiles: ['default'],
        vars: { networkDevices: { default: { ip6addr: 'fd00::1', tags: { own: 'y' } } } },
      },
      { gateway: '192.0.2.1', dns: ['192.0.2.3', '192.0.2.4'], search: ['a.org', 'b.org'], mtu: 9000 },
      {
        vars: {
          networkDevices: {
            default: { type: 'ethernet', device: 'eno1', onboot: 'true', tags: { route1: 'x', zone: 'trusted' } },
          },
        },
      },
    ],
    [
      'version 4.0: devices by their names, flat keys of IPMI and the kernel',
      `nodeprofiles: { default: { kernel args: "quiet a=b", ipmi username: admin, ipmi netmask: 255.255.255.0 } }
nodes: { a: { ipmi ipaddr: 10.9.0.1, network devices: { eth1: { hwaddr: "52:54:00:00:00:09" }, eth0: { ${DEVICE}, ${MASK}, default: true } } } }`,
      {
        ip: '192.0.2.11',
        mac: '52:54:00:00:00:01',
        vars: { ipmi: { ipaddr: '10.9.0.1' }, networkDevices: { eth1: { hwaddr: '52:54:00:00:00:09' } } },
      },
      { subnet: '192.0.2.0/24' },
      { kernelArgs: ['quiet', 'a=b'], vars: { ipmi: { username: 'admin', netmask: '255.255.255.0' } } },
    ],
    [
      'version 4.1: keys; 4.3: kernel words of a node in place of those of its profile',
      `WW_INTERNAL: 43
nodeprofiles: { default: { kernel: { args: quiet a=b }, keys: { x: y } } }
nodes: { a: { kernel: { args: c=d }, ipmi: { write: "true", ipaddr: UNDEF }, network devices: { default: { ${DEVICE}, ${MASK} } } } }`,
      { kernelArgs: ['c=d'], profiles: ['default'], vars: { ipmi: { write: 'true' } } },
      {},
      { vars: { x: 'y' } },
    ],
    [
      'version 4.6: kernel words joined, and taken away again; overlays that come with Reveille',
      `nodeprofiles: { base: { kernel: { args: [quiet, a=b] }, system overlay: [hostname, wwinit], runtime overlay: [hosts] } }
nodes: { a: { profiles: [base], kernel: { args: [~quiet, c=d] }, network devices: { default: { ${DEVICE}, ${MASK} } } } }`,
      { kernelArgs: ['a=b', 'c=d'], profiles: ['base'] },
      {},
      { overlays: ['hostname', 'hosts'] },
    ],
    [
      'version 4.6: profiles of profiles, in a circle and taken away again',
      `nodeprofiles: { p: { profiles: [q], tags: { a: p } }, q: { profiles: [p], tags: { a: q } }, r: { tags: { b: r } } }
nodes: { a: { profiles: [p, r, ~r], resources: { x: [1] }, network devices: { default: { ${DEVICE}, ${MASK} } } } }`,
      { profiles: ['q', 'p'], vars: { resources: { x: [1] } } },
      {},
      { vars: { a: 'p' } },
    ],
    [
      'the first device of version 4.5 and later: named, or the first by its name',
      `WW_INTERNAL: 45
nodes: { a: { primary network: b, network devices: { a: { hwaddr: "52:54:00:00:00:09" }, b: { ${DEVICE}, ${MASK} } } } }`,
      { mac: '52:54:00:00:00:01' },
      {},
    ],
    [
      'what a node is given otherwise than its network gives',
      `nodes:
  b: { network devices: { default: { hwaddr: "52:54:00:00:00:02", ipaddr: 192.0.2.12, ${MASK}, gateway: 192.0.2.1, mtu: 9000 } } }
  a: { network devices: { default: { ${DEVICE}, ${MASK}, gateway: 192.0.2.254, mtu: 9000, tags: { DNS1: 192.0.2.9 } } } }`,
      { options: { routers: ['192.0.2.254'], 'domain-name-servers': ['192.0.2.9'] } },
      { gateway: '192.0.2.1', mtu: 9000 },
    ],
  ];
  for (const [what, text, node, network, profile] of rows) {
    it(`gives ${what}`, () =>
      imported(text, ({ nodes = {}, networks = {}, profiles = {} }) => {
        assert.partialDeepStrictEqual(nodes.a, node);
        assert.partialDeepStrictEqual(Object.values(networks)[0], network);
        if (profile !== undefined) assert.deepEqual(Object.values(profiles)[0], profile);
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
            await readWarewulf(new SiteDraft(), join(folder, 'nodes.conf'), CONTEXT);
          } catch (error) {
            assert.ok(error instanceof ReveilleError && error.code === 'IMPORT_INVALID', String(error));
          }
        }),
      ),
      { numRuns: 300 },
    );
  });
});
