import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadSite } from './load.ts';
import { findingText, withSiteFolder } from './testing/folderFixture.ts';

const HEAD = `site: rack
networks:
  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }
secrets:
  bmc: { env: BMC_PASSWORD }
  odd: { file: secrets/odd }
`;
const NODES = `nodes:
  node[01-03]:
    mac: 52:54:00:00:00:[51-53]
    ip: 10.0.0.[51-53]
    profiles: [compute]
    bmc:
      address: 10.1.0.[51-53]
`;
const PROFILE = `profiles:
  compute: { bmc: { user: admin, password: '{{ secrets.bmc }}', cipher: 17 } }
`;

/** The site's BMCs by node, or what is wrong with it. */
function load(text: string) {
  return withSiteFolder({ 'site.yaml': HEAD + text }, async (folder) => {
    const loaded = await loadSite(folder);
    const findings = (loaded.ok ? loaded.warnings : loaded.findings).map(findingText);
    const bmcs = loaded.ok ? [...loaded.site.nodes.values()].map(({ name, bmc }) => [name, bmc] as const) : [];
    return { folder, findings, bmcs: new Map(bmcs) };
  });
}

describe('bmc:', () => {
  it('merges key by key, the profile first; a range gives each node its own address', async () => {
    const { bmcs, findings } = await load(
      `${PROFILE}${NODES}  node03: { bmc: { address: bmc3.example.org, port: 6230, password: '{{ secrets.odd }}' } }\n`,
    );
    assert.deepEqual(findings, []);
    const shared = { kind: 'ipmi', user: 'admin', interface: 'lanplus', privilege: 'operator', cipher: 17 };
    assert.deepEqual(bmcs.get('node02'), {
      ...shared,
      address: '10.1.0.52',
      port: 623,
      password: '{{ secrets.bmc }}',
    });
    const own = { address: 'bmc3.example.org', port: 6230, password: '{{ secrets.odd }}' };
    assert.deepEqual(bmcs.get('node03'), { ...shared, ...own });
  });

  it('redfish: the systems of one service are distinguished; certificates lie in the site folder', async () => {
    const { folder, bmcs, findings } = await load(`profiles:
  blades: { bmc: { kind: redfish, address: chassis, user: root, password: '{{ secrets.bmc }}', ca: bmc.pem } }
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, profiles: [blades], bmc: { system: Blade1 } }
`);
    assert.deepEqual(findings, []);
    const access = { address: 'chassis', port: 443, user: 'root', password: '{{ secrets.bmc }}' };
    const redfish = { kind: 'redfish', system: 'Blade1', verify: true, ca: `${folder}/bmc.pem` };
    assert.deepEqual(bmcs.get('node01'), { ...access, ...redfish });
  });

  const rows: readonly [string, string, readonly string[]][] = [
    [
      'a password is never written here, and what was written is not repeated',
      PROFILE.replace("'{{ secrets.bmc }}'", 'geheim') + NODES,
      ["site.yaml:8:44: a password is not written here | name the secret that holds it: '{{ secrets.NAME }}'"],
    ],
    [
      'a secret must be there',
      PROFILE.replace('secrets.bmc', 'secrets.bmd') + NODES,
      ['site.yaml:8:44: there is no secret "bmd" | did you mean "bmc"?'],
    ],
    [
      'a BMC needs a user',
      NODES.replace('    profiles: [compute]\n', ''),
      ['site.yaml:8:3: node "node01" has settings of a BMC, and no bmc.user | set it here, or in a profile'],
    ],
    [
      'without an address there is none',
      PROFILE + NODES.replace(/ {4}bmc:\n.*\n/, ''),
      [
        'site.yaml:10:3: node "node01" has settings of a BMC, and no bmc.address | without an address the node has no BMC',
      ],
    ],
    [
      'a profile names one BMC',
      PROFILE.replace('{ user', "{ address: '10.1.0.[1-3]', user") + NODES,
      [
        'site.yaml:8:30: a profile names one BMC, and this is a range | write the range at the nodes, where there is one for each',
      ],
    ],
    [
      'a range pairs nodes and BMCs',
      PROFILE + NODES.replace('10.1.0.[51-53]', '10.1.0.[51-54]'),
      [
        'site.yaml:15:16: "node[01-03]" stands for 3 nodes, but its bmc.address for 4 | write one for each: address: 10.1.0.[51-114]',
      ],
    ],
    [
      'keys of the other kind',
      PROFILE.replace('{ user', '{ kind: redfish, user') + NODES,
      ['site.yaml:8:80: bmc.cipher is for kind: ipmi | leave it out'],
    ],
    [
      'an address is no option of ipmitool',
      PROFILE + NODES.replace('10.1.0.[51-53]', '-x[1-3]'),
      [
        'site.yaml:15:16: "-x[1-3]" is not a BMC\'s address or host name | "-x1" is none; a range is written like 10.1.0.[51-114]',
      ],
    ],
  ];
  for (const [name, text, expected] of rows) {
    it(name, async () => assert.deepEqual((await load(text)).findings, expected));
  }
});
