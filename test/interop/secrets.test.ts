import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SiteSecrets } from '../../src/node/siteSecrets.ts';
import { filesOf, siteWith, textOf, withSite } from '../../src/node/testing/renderFixture.ts';
import { loadSite } from '../../src/site/load.ts';
import { withSiteFolder } from '../../src/site/testing/folderFixture.ts';
import { run } from './overlays.rig.ts';

// Passwords reach the programs that read the shipped overlays' files as they are.

const PASSWORDS: readonly string[] = [
  'plain',
  'p@s:w/o%r#d?',
  `$my_ip and \${my_ip} $$ $`,
  '$ends',
  '"quoted"',
  "'quoted'",
  `"'`,
  'q"u\'o`te\\',
  '#comment ; not',
  ' blanks ',
  'a,b;c=d&e+f',
  '[x]{y}<z>|!*()~^',
  '50%',
  '%%(x)s',
  '{{ x }}{% y %}',
  'grüße',
  '"',
];

/** Reads options as nova and neutron do, and the login of transport_url as oslo.messaging does. */
const READER = `
import json, sys
from urllib import parse
from oslo_config import cfg
conf = cfg.ConfigOpts()
conf.register_opts([cfg.StrOpt('transport_url'), cfg.StrOpt('my_ip')])
for group in ['keystone_authtoken', 'service_user', 'placement', 'neutron', 'extra']:
    conf.register_opts([cfg.StrOpt('password')], group=group)
conf(['--config-file', sys.argv[1]], project='x')
url = parse.urlparse(conf.transport_url)
logins = [parse.unquote(host.rpartition('@')[0].partition(':')[2]) for host in url.netloc.split(',')]
print(json.dumps([logins] + [conf[group].password for group in sys.argv[2:]]))
`;

function read(text: string, groups: readonly string[]): unknown {
  const file = join(mkdtempSync(join(tmpdir(), 'reveille-oslo-')), 'x.conf');
  writeFileSync(file, text);
  return JSON.parse(execFileSync('/usr/bin/python3', ['-c', READER, file, ...groups], { encoding: 'utf8' }));
}

/** What a node gets whose password is `password`. */
async function fileOf(overlay: string, vars: object, path: string, password: string): Promise<string> {
  const site = siteWith([overlay], vars);
  const declared = JSON.parse(site['site.yaml'] as string) as Record<string, unknown>;
  declared.secrets = { pw: { env: 'PW' } };
  return withSiteFolder({ 'site.yaml': JSON.stringify(declared) }, async (folder) => {
    const loaded = await loadSite(folder);
    assert(loaded.ok, JSON.stringify(loaded));
    const node = loaded.site.nodes.get('node01');
    assert(node);
    const { vars } = await new SiteSecrets(() => loaded.site, { PW: password }).reveal(node.vars);
    const nodes = new Map([['node01', { ...node, vars }]]);
    return textOf(await filesOf({ ...loaded.site, nodes }), path);
  });
}

describe('oslo.config reads the passwords of', () => {
  const url = 'rabbit://nova:{{ secrets.pw }}@h1:5672,nova:{{ secrets.pw }}@h2:5672/v';
  const pw = '{{ secrets.pw }}';
  for (const password of PASSWORDS) {
    test(`nova.conf: ${password}`, async () => {
      const nova = {
        transport_url: url,
        password: pw,
        placement_password: pw,
        neutron_password: pw,
        extra: { extra: { password: '{{ secrets.pw | oslo }}' } },
      };
      const vars = { openstack: { controller: 'c' }, nova };
      const text = await fileOf('nova-compute', vars, '/etc/nova/nova.conf', password);
      const groups = ['keystone_authtoken', 'service_user', 'placement', 'neutron', 'extra'];
      assert.deepEqual(read(text, groups), [[password, password], ...groups.map(() => password)]);
    });
    test(`neutron.conf: ${password}`, async () => {
      for (const overlay of ['neutron-openvswitch', 'neutron-linuxbridge']) {
        const text = await fileOf(overlay, { neutron: { transport_url: url } }, '/etc/neutron/neutron.conf', password);
        assert.deepEqual(read(text, []), [[password, password]]);
      }
    });
  }
});

test('a shell reads what `quote` writes', async () => {
  for (const password of PASSWORDS) {
    await withSite(
      {
        ...siteWith(['o'], { pw: password }),
        'overlays/o/root/run.sh.j2': 'printf %s {{ vars.pw | quote }}\n',
      },
      async (site) => {
        assert.equal(run('sh', '-c', textOf(await filesOf(site), '/root/run.sh')), password);
      },
    );
  }
});
