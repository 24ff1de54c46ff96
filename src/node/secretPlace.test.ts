import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatPlace, ReveilleError } from '../errors.ts';
import { loadSite } from '../site/load.ts';
import { findingText, withSiteFolder } from '../site/testing/folderFixture.ts';
import { renderFiles } from './render.ts';
import { checkSecrets } from './secretCheck.ts';
import { breakage } from './secretPlace.ts';
import { readSources } from './sources.ts';
import { createRenderer } from './templates.ts';
import { filesOf, siteWith, withSite } from './testing/renderFixture.ts';

describe('a secret in a text that a template made', () => {
  const cases: readonly (readonly [value: string, text: string, path: string, how: RegExp | undefined])[] = [
    ['p@s', 'url = mysql+pymysql://n:p@s@db/n\n', '/etc/x.conf', /in the password of a URL/],
    ['p@s', 'first: p@s\nurl = amqp://n:p@s@h\n', '/etc/x.conf', /in the password of a URL/],
    ['p%40s', 'url = mysql://n:p%40s@db/n\n', '/etc/x.conf', undefined],
    ['p(s)', 'url = mysql://n:p(s)@db/n\n', '/etc/x.conf', undefined],
    ['p@s', 'see http://x/ password=p@s\n', '/etc/x.conf', undefined],
    ['a?b', 'url: https://h/a?b\n', '/etc/x.conf', /in the path of a URL/],
    ['a&b', 'url: "https://h/?t=a&b"\n', '/etc/x.conf', /in the query of a URL/],
    ['a$b', 'password = a$b\n', '/etc/nova/nova.conf', /with a \$/],
    ['a$b', 'password = a$$b\n', '/etc/nova/nova.conf', undefined],
    ['$b', 'password = $$b\n', '/etc/cinder/cinder.conf', undefined],
    ['a$b', 'password = a$b\n', '/etc/other/nova.conf', undefined],
    ['a$', 'password = a$\n', '/etc/nova/nova.conf', undefined],
    ['plain', 'amqp://n:plain@h\n', '/etc/nova/nova.conf', undefined],
  ];
  for (const [value, text, path, how] of cases) {
    test(`${value} in ${path}: ${text.trim()}`, () => {
      if (how) assert.match(breakage(value, text, path) ?? '', how);
      else assert.equal(breakage(value, text, path), undefined);
    });
  }

  test('the bundle is refused with the template’s place, and without the value', async () => {
    const site = {
      ...siteWith(['o'], { pw: 'p@s/w' }),
      'overlays/o/etc/db.conf.j2': '# one\nurl = mysql://n:{{ vars.pw }}@db/n\n',
      'overlays/o/etc/ok.conf.j2': 'url = mysql://n:{{ vars.pw | urlencode }}@db/n\n',
    };
    await withSite(site, async (loaded) => {
      const node = loaded.nodes.get('node01');
      assert(node);
      assert.equal((await filesOf(loaded)).get('/etc/ok.conf')?.path, '/etc/ok.conf');
      const { sources } = await readSources(loaded, node);
      assert.throws(
        () => renderFiles({ site: loaded, node, sources, secrets: ['p@s/w'] }, createRenderer()),
        (error: unknown) => {
          assert(error instanceof ReveilleError && error.place);
          assert.equal(formatPlace(error.place), 'overlays/o/etc/db.conf.j2:2:1');
          assert.match(error.message, /in the password of a URL: write it with \| urlencode/);
          assert.doesNotMatch(error.message, /p@s/);
          return true;
        },
      );
    });
  });
});

test('check reads the secrets that are here, and tries them where variables name them', async () => {
  const site = {
    'site.yaml': [
      'site: t',
      'networks: { n: { subnet: 10.0.0.0/24 } }',
      'secrets:',
      '  two: { file: sec/two }',
      '  sp: { file: sec/sp }',
      '  bom: { file: sec/bom }',
      '  away: { file: sec/away }',
      '  coded: { file: sec/coded }',
      'nodes:',
      '  a: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, vars: { u: "amqp://n:{{ secrets.coded }}@h", v: "{{ secrets.away }}" } }',
      '  b: { mac: 52:54:00:00:00:52, ip: 10.0.0.52, vars: { u: "amqp://n:{{ secrets.coded }}@h" } }',
      '',
    ].join('\n'),
    'sec/two': 'pw\nlogin: nova\n',
    'sec/sp': 'pw \n',
    'sec/bom': '\ufeffpw\r\n',
    'sec/coded': 'p%40s\n',
  };
  await withSiteFolder(site, async (folder) => {
    const loaded = await loadSite(folder);
    assert(loaded.ok);
    const { errors, warnings } = await checkSecrets(loaded.site);
    const lines = (found: typeof errors) => found.map(findingText);
    assert.match(lines(errors)[0] ?? '', /^site\.yaml:8:3.*coded in vars\.u is the password in a URL/);
    assert.match(lines(errors)[1] ?? '', /^sec\/two:2:1.*has 2 lines/);
    assert.equal(errors.length, 2);
    assert.match(lines(warnings).join('\n'), /^sec\/sp:1:1.*begins or ends with a blank/);
  });
});

test('a reference that names no secret, or no way to write it, is found at its place', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{{ secrets.my-pw }}', /names no secret/],
    ['{{ secrets["pw"] }}', /names no secret/],
    ['{{ secrets.pw | trim | upper }}', /names no secret/],
    ['{{ secrets.pw | urlencod }}', /cannot be written in the way "urlencod".*urlencode/s],
    ['{{ secrets.pv }}', /there is no secret "pv"/],
  ];
  for (const [text, why] of cases) {
    const declared = {
      site: 't',
      networks: { n: { subnet: '10.0.0.0/24' } },
      secrets: { pw: { env: 'PW' } },
      vars: { a: text },
    };
    await withSiteFolder({ 'site.yaml': JSON.stringify(declared) }, async (folder) => {
      const loaded = await loadSite(folder);
      assert(!loaded.ok, text);
      assert.match(loaded.findings.map(findingText).join('\n'), why);
    });
  }
});

test('check finds the template in which a secret that it can read breaks a URL, once and without the value', async () => {
  const declared = {
    networks: { n: { subnet: '10.0.0.0/24' } },
    secrets: { pw: { file: 'sec/pw' } },
    profiles: { p: { overlays: ['o'], vars: { pw: '{{ secrets.pw }}' } } },
    nodes: {
      a: { mac: '52:54:00:00:00:01', ip: '10.0.0.11', profiles: ['p'] },
      b: { mac: '52:54:00:00:00:02', ip: '10.0.0.12', profiles: ['p'], vars: { more: 1 } },
    },
  };
  for (const [value, filter, expected] of [
    ['p@s/w', '', ['overlays/o/etc/db.conf.j2:2:1: a secret stands in /etc/db.conf in the password of a URL']],
    ['p@s/w', ' | urlencode', []],
    ['plain', '', []],
  ] as const) {
    const site = {
      'site.yaml': JSON.stringify(declared),
      'sec/pw': `${value}\n`,
      'overlays/o/etc/db.conf.j2': `[db]\nurl = mysql://n:{{ vars.pw${filter} }}@db/n\n`,
    };
    await withSiteFolder(site, async (folder) => {
      const loaded = await loadSite(folder);
      assert(loaded.ok);
      const { errors } = await checkSecrets(loaded.site);
      assert.deepEqual(
        errors.map((one) => findingText(one).replace(/: write it.*/, '')),
        expected,
      );
      assert.doesNotMatch(errors.map(findingText).join('\n'), /p@s/);
    });
  }
});
