import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSite } from './load.ts';
import { findingText, type SiteFiles, withSiteFolder } from './testing/folderFixture.ts';

const NETWORK = 'networks: { rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 } }\n';
const IMAGE = 'from: { debian: bookworm }\npackages: [linux-image-amd64]\n';

async function errors(files: SiteFiles): Promise<readonly string[]> {
  return withSiteFolder({ 'images/x.yaml': IMAGE, ...files }, async (folder) => {
    const loaded = await loadSite(folder);
    return loaded.ok ? [] : loaded.findings.map(findingText);
  });
}

async function warnings(files: SiteFiles): Promise<readonly string[]> {
  return withSiteFolder({ 'images/x.yaml': IMAGE, ...files }, async (folder) => {
    const loaded = await loadSite(folder);
    assert.ok(loaded.ok, JSON.stringify(!loaded.ok && loaded.findings));
    return loaded.warnings.map(findingText);
  });
}

test('a loader that no firmware is given is an error at the place of `loader`, with all of its nodes in one line', async () => {
  const site = `${NETWORK}profiles:
  grub: { image: x, loader: grub }
nodes:
  node[01-03]: { mac: "52:54:00:00:00:[01-03]", ip: "10.0.0.[11-13]", profiles: [grub] }
  node03: { loader: ipxe }
  node04: { mac: 52:54:00:00:00:04, ip: 10.0.0.14, image: x, loader: http }
  node05: { mac: 52:54:00:00:00:05, ip: 10.0.0.15, profiles: [other] }
  spare: { mac: 52:54:00:00:00:06, ip: 10.0.0.16, loader: grub }
  own: { mac: 52:54:00:00:00:07, ip: 10.0.0.17, image: x, loader: grub, bootFile: grubx64.efi }
`;
  const hint = 'write loader: auto, or leave it out; there is also ipxe, pxelinux';
  const says = (loader: string) =>
    `cannot boot with \`loader: ${loader}\`: no firmware is given that loader today | ${hint}`;
  assert.deepEqual(await errors({ 'site.yaml': site, 'profiles/other.yaml': 'image: x\nloader: grub\n' }), [
    `site.yaml:3:29: node[01-02] ${says('grub')}`,
    `site.yaml:7:70: node04 ${says('http')}`,
    `profiles/other.yaml:2:9: node05 ${says('grub')}`,
  ]);
  const elsewhere = site.replace('server: 10.0.0.2', 'server: 10.0.0.2, bootFile: shim.efi');
  assert.deepEqual(await warnings({ 'site.yaml': elsewhere, 'profiles/other.yaml': 'image: x\nloader: grub\n' }), []);
});

test('a loader that is not for the firmware that the BMC chooses is warned of', async () => {
  const site = (loader: string, mode: string) => `${NETWORK}secrets: { bmc: { env: BMC } }
nodes:
  node01:
    mac: 52:54:00:00:00:01
    ip: 10.0.0.11
    image: x
    loader: ${loader}
    bmc: { address: 10.1.0.1, user: u, password: "{{ secrets.bmc }}", bootMode: ${mode} }
`;
  assert.deepEqual(await warnings({ 'site.yaml': site('pxelinux', 'uefi') }), [
    'site.yaml:8:13: node01 cannot boot with `loader: pxelinux`: the BMC has it boot as uefi, whose firmware is not given that loader | write loader: auto, or leave it out; there is also ipxe',
  ]);
  for (const [loader, mode] of [
    ['pxelinux', 'bios'],
    ['ipxe', 'uefi'],
    ['auto', 'uefi'],
  ] as const)
    assert.deepEqual(await warnings({ 'site.yaml': site(loader, mode) }), [], `${loader} ${mode}`);
});

test('an image that a node boots and that gets no kernel is warned of', async () => {
  const site = (image: string) =>
    `${NETWORK}nodes: { node01: { mac: 52:54:00:00:00:01, ip: 10.0.0.11, image: ${image} } }\n`;
  const rows: readonly (readonly [recipe: string, warned: RegExp | undefined])[] = [
    [
      'from: { debian: bookworm }\npackages: [systemd-sysv]\n',
      /^images\/y\.yaml:1:1: image "y" has no kernel.*linux-image-amd64/,
    ],
    ['from: { ubuntu: jammy }\npackages: [curl]\n', /linux-image-generic/],
    ['extends: x\nremove: [linux-image-amd64]\n', /has no kernel/],
    ['extends: x\nremove: [linux-image-amd64]\npackages: [linux-image-cloud-amd64]\n', undefined],
    ['from: { debian: bookworm }\nrun: ["apt-get install -y linux-image-x"]\n', undefined],
    ['from: { debian: bookworm }\npackages: [proxmox-default-kernel]\n', undefined],
    ['from: { ubuntu: jammy }\npackages: [linux-virtual]\n', undefined],
  ];
  for (const [recipe, warned] of rows) {
    const lines = await warnings({ 'site.yaml': site('y'), 'images/y.yaml': recipe });
    if (warned === undefined) assert.deepEqual(lines, [], recipe);
    else assert.match(lines.join('\n'), warned, recipe);
  }
  assert.deepEqual(await warnings({ 'site.yaml': site('x'), 'images/y.yaml': 'from: { debian: bookworm }\n' }), []);
});
