import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { formatPlace, ReveilleError } from '../errors.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import { ip, networkFixture, nodeFixture, siteFixture } from '../site/testing/fixture.ts';
import type { BundleFile } from './bundle.ts';
import { checkTemplates } from './check.ts';
import { renderFiles } from './render.ts';
import { readSources } from './sources.ts';
import { createRenderer } from './templates.ts';

const scratch = mkdtempSync(join(tmpdir(), 'reveille-render-'));
after(() => rmSync(scratch, { recursive: true }));
const renderer = createRenderer();

test('later overlays win, then the folder of the address, then that of the name; templates lose their ending', async () => {
  const root = folder({
    'overlays/base/etc/motd': 'base',
    'overlays/base/etc/a.conf': 'base a',
    'overlays/nova/etc/motd.j2':
      'nova on {{ node.name }} rack {{ vars.rack }} of {{ site.name }} gw {{ network.gateway }}',
    'nodes/10-0-0-51/files/etc/a.conf': 'by address',
    'nodes/node01/files/etc/a.conf': 'by name',
    'nodes/node01/settings.sh.j2': '#!/bin/sh\necho {{ node.ip }}',
    'nodes/node01/unrelated': 'for TFTP only',
  });
  const node = nodeFixture({ overlays: ['base', 'nova'], folders: ['10-0-0-51', 'node01'], vars: { rack: 'g6' } });
  const files = await rendered(siteOf(root, node), node);
  assert.equal(text(files, '/etc/motd'), 'nova on node01 rack g6 of g-rack gw 10.0.0.1');
  assert.equal(text(files, '/etc/a.conf'), 'by name');
  const settings = files.get('/var/lib/reveille/settings.sh');
  assert.equal(settings?.mode, 0o700);
  assert.equal(settings?.origin, 'nodes/node01');
  assert.equal(text(files, '/var/lib/reveille/settings.sh'), '#!/bin/sh\necho 10.0.0.51\n');
  assert.deepEqual([...files.keys()].sort(), [
    '/etc/a.conf',
    '/etc/hostname',
    '/etc/hosts',
    '/etc/motd',
    '/etc/resolv.conf',
    '/var/lib/reveille/settings.sh',
  ]);
});

test('a node is given its name, the names of all and its name servers unless the site says otherwise', async () => {
  const plain = nodeFixture();
  const files = await rendered(siteOf(folder({}), plain), plain);
  assert.equal(text(files, '/etc/hostname'), 'node01\n');
  assert.match(
    text(files, '/etc/hosts'),
    /^127\.0\.0\.1\tlocalhost\n(.*\n)*10\.0\.0\.51\tnode01\.rack\.example node01\n/,
  );
  assert.match(text(files, '/etc/hosts'), /10\.0\.0\.52\tnode02/);
  assert.equal(text(files, '/etc/resolv.conf'), 'search rack.example\nnameserver 10.0.0.9\n');

  const own = nodeFixture({ folders: ['node01'] });
  const root = folder({
    'nodes/node01/hosts.j2': '{% for n in site.nodes %}\n{{ n.ip }} {{ n.name }}\n{% endfor %}\n',
    'nodes/node01/hostname': 'other\n',
  });
  const given = await rendered(siteOf(root, own), own);
  assert.equal(text(given, '/etc/hosts'), '10.0.0.51 node01\n10.0.0.52 node02\n');
  assert.equal(text(given, '/etc/hostname'), 'other\n');
});

test('modes, owners and links: from the file, from overlay.yaml, kept', async () => {
  const root = folder({
    'overlays/nova/etc/nova/nova.conf.j2': 'password = {{ vars.secret }}',
    'overlays/nova/usr/local/bin/tool': '#!/bin/sh',
    'overlays/nova/overlay.yaml': '/etc/nova/nova.conf: { owner: root, group: nova, mode: "0640" }\n',
  });
  chmodSync(join(root, 'overlays/nova/usr/local/bin/tool'), 0o755);
  symlinkSync('/etc/passwd', join(root, 'overlays/nova/etc/leak'));
  const node = nodeFixture({ overlays: ['nova'], vars: { secret: 's' } });
  const files = await rendered(siteOf(root, node), node);
  const conf = files.get('/etc/nova/nova.conf');
  assert.deepEqual([conf?.mode, conf?.owner, conf?.group], [0o640, 'root', 'nova']);
  assert.equal(files.get('/usr/local/bin/tool')?.mode, 0o755);
  const leak = files.get('/etc/leak');
  assert.equal(leak && 'target' in leak && leak.target, '/etc/passwd');
  assert.equal(files.has('/overlay.yaml'), false);
});

test('check finds every broken template and file at once, with its place', async () => {
  const root = folder({
    'overlays/nova/etc/broken.j2': 'a\n{{ vars.x',
    'overlays/nova/etc/typo.j2': 'rack {{ vars.rakc }}',
    'overlays/nova/etc/facts.j2': '{{ (facts.nics | first).name }}',
    'overlays/nova/etc/both': '1',
    'overlays/nova/etc/both.j2': '2',
    'overlays/nova/overlay.yaml': '/etc/none: { mode: 0640 }\n',
    'overlays/unused/etc/x.j2': '{% if %}',
    'nodes/node01/settings.sh.j2': '{{ nothing }}',
    'nodes/node01/hosts': 'fine',
  });
  writeFileSync(join(root, 'overlays/nova/etc/binary.j2'), Buffer.from([0xff, 0xfe, 0x00]));
  writeFileSync(join(root, 'overlays/nova/etc/bad\nname'), 'x');
  const node = nodeFixture({ overlays: ['nova'], folders: ['node01'], vars: { rack: 'g6' } });
  const found = await checkTemplates(siteOf(root, node));
  const lines = found.map((finding) => `${formatPlace(finding.place)} ${finding.message}`);
  const expected = [
    /^nodes\/node01\/settings\.sh\.j2:1:1 nothing has no value/,
    /^overlays\/nova\/etc\/bad\nname:1:1 the file name "bad\\nname" cannot be written/,
    /^overlays\/nova\/etc\/binary\.j2:1:1 a template has to be UTF-8, this is UTF-16/,
    /^overlays\/nova\/etc\/both\.j2:1:1 .*both would be written as \/etc\/both too/,
    /^overlays\/nova\/etc\/broken\.j2:2:/,
    /^overlays\/nova\/etc\/typo\.j2:1:6 vars\.rakc has no value/,
    /^overlays\/nova\/overlay\.yaml:1:1 this overlay has no file \/etc\/none/,
    /^overlays\/nova\/overlay\.yaml:1:20 mode is not an octal text/,
    /^overlays\/unused\/etc\/x\.j2:1:/,
  ];
  assert.equal(lines.length, expected.length, lines.join('\n'));
  for (const one of expected)
    assert.ok(
      lines.some((line) => one.test(line)),
      `${one} in\n${lines.join('\n')}`,
    );
});

test('text of other systems is made right where a node reads it, refused with its place, and else laid byte for byte', async () => {
  const crlf = '#!/bin/sh\r\necho hi\r\n';
  const root = folder({
    'overlays/o/etc/dos.ini': 'a=1\r\n',
    'overlays/o/etc/made.conf.j2': '\ufeff{% if true %}\r\nx={{ vars.x }}\r\n{% endif %}\r\n',
    'nodes/node01/settings.sh': crlf,
    'nodes/node01/hosts': '\ufeff10.0.0.1 a\r\n10.0.0.2 b',
    'nodes/node01/hostname': 'gpu\r\n',
    'nodes/node01/files/blob': 'a\r\n\0b',
  });
  const node = nodeFixture({ overlays: ['o'], folders: ['node01'], vars: { x: 'y\r\n' } });
  const site = siteOf(root, node);
  assert.deepEqual(await checkTemplates(site), []);
  const files = await rendered(site, node);
  assert.equal(text(files, '/etc/dos.ini'), 'a=1\r\n');
  assert.equal(text(files, '/etc/made.conf'), 'x=y\r\n\n');
  assert.equal(text(files, '/var/lib/reveille/settings.sh'), '#!/bin/sh\necho hi\n');
  assert.equal(text(files, '/etc/hosts'), '10.0.0.1 a\n10.0.0.2 b\n');
  assert.equal(text(files, '/etc/hostname'), 'gpu\n');
  assert.equal(text(files, '/blob'), 'a\r\n\0b');
});

test('what a template makes of values from other systems is a script, or refused', async () => {
  const root = folder({ 'nodes/node01/settings.sh.j2': 'x={{ vars.x }}\n' });
  const made = async (x: string) => {
    const node = nodeFixture({ folders: ['node01'], vars: { x } });
    return text(await rendered(siteOf(root, node), node), '/var/lib/reveille/settings.sh');
  };
  assert.equal(await made('a\r\nb'), 'x=a\nb\n');
  await assert.rejects(made('a\rb'), { code: 'SITE_INVALID', message: /carriage return stands within/ });
  await assert.rejects(made('a\0b'), { code: 'SITE_INVALID', message: /NUL/ });
});

test('check finds texts that cannot be taken', async () => {
  const root = folder({
    'overlays/o/usr/bin/tool': '#!/bin/sh\r\n',
    'overlays/o/etc/utf16.j2': 'x',
    'overlays/o/overlay.yaml': 'x',
    'nodes/node01/settings.sh': 'one\ntwo\0\n',
    'nodes/node01/hosts': '10.0.0.1 a\nb\rc\n',
  });
  writeFileSync(join(root, 'overlays/o/etc/utf16.j2'), Buffer.from('\ufeffx', 'utf16le'));
  writeFileSync(join(root, 'overlays/o/overlay.yaml'), Buffer.from('\ufeffabout: x\n', 'utf16le'));
  chmodSync(join(root, 'overlays/o/usr/bin/tool'), 0o755);
  const node = nodeFixture({ overlays: ['o'], folders: ['node01'] });
  const found = await checkTemplates(siteOf(root, node));
  assert.deepEqual(
    found.map(({ place, message }) => `${formatPlace(place)} ${message}`),
    [
      'nodes/node01/hosts:2:2 a carriage return stands within this line',
      'nodes/node01/settings.sh:2:4 a NUL byte stands here: a script has none',
      'overlays/o/etc/utf16.j2:1:1 a template has to be UTF-8, this is UTF-16',
      'overlays/o/overlay.yaml:1:1 YAML has to be UTF-8, this is UTF-16',
      'overlays/o/usr/bin/tool:1:10 the line of #! ends in a carriage return',
    ],
  );
});

test('a link to the file of a secret is refused, by check and for the node', async () => {
  const root = folder({ 'secrets/rabbit': 'hunter2hunter2', 'nodes/node01/hostname': 'node01\n' });
  mkdirSync(join(root, 'nodes/node01/files/etc'), { recursive: true });
  symlinkSync('../../../../secrets/rabbit', join(root, 'nodes/node01/files/etc/rabbit'));
  const node = nodeFixture({ folders: ['node01'] });
  const secret = { kind: 'file', path: join(root, 'secrets/rabbit') } as const;
  const site = { ...siteOf(root, node), secrets: new Map([['rabbit', secret]]) };
  const found = await checkTemplates(site);
  assert.deepEqual(
    found.map((one) => `${formatPlace(one.place)} ${one.message}`),
    ['nodes/node01/files/etc/rabbit:1:1 this link leads to the file of secret "rabbit"'],
  );
  await assert.rejects(readSources(site, node), /leads to the file of secret "rabbit"/);
});

test('a template that changes a list changes it for itself only', async () => {
  const root = folder({ 'overlays/x/a.j2': "{{ vars.list.push('more') }}{{ node.macs.push('x') }}" });
  const node = nodeFixture({ overlays: ['x'], vars: { list: ['one'] } });
  const site = siteOf(root, node);
  assert.equal(text(await rendered(site, node), '/a'), '22');
  assert.equal(text(await rendered(site, node), '/a'), '22');
});

test('an overlay that is gone is reported with its place', async () => {
  const node = nodeFixture({ overlays: ['gone'] });
  await assert.rejects(readSources(siteOf(folder({}), node), node), (error) => {
    assert.ok(error instanceof ReveilleError && error.place);
    assert.equal(`${error.code} ${formatPlace(error.place)}`, 'SITE_INVALID overlays/gone:1:1');
    return true;
  });
});

function folder(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(scratch, 'site-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

function siteOf(root: string, node: SiteNode): Site {
  const network = networkFixture({ gateway: ip('10.0.0.1'), dns: [ip('10.0.0.9')], domain: 'rack.example' });
  const nodes = [node, nodeFixture({ name: 'node02', ip: ip('10.0.0.52') })];
  return siteFixture({
    root,
    networks: new Map([[network.name, network]]),
    nodes: new Map(nodes.map((one) => [one.name, one])),
  });
}

async function rendered(site: Site, node: SiteNode): Promise<ReadonlyMap<string, BundleFile>> {
  const files = renderFiles({ site, node, sources: (await readSources(site, node)).sources }, renderer);
  return new Map(files.map((file) => [file.path, file]));
}

function text(files: ReadonlyMap<string, BundleFile>, path: string): string {
  const file = files.get(path);
  assert.ok(file && 'content' in file, `no ${path}`);
  return Buffer.from(file.content).toString();
}
