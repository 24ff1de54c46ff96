import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Findings } from '../site/finding.ts';
import { findingText } from '../site/testing/folderFixture.ts';
import { fileMode, folderMode, shieldOf } from './modes.ts';
import { readNodeFolder, readOverlay } from './sources.ts';
import { newBudget, Tree } from './tree.ts';

const scratch = mkdtempSync(join(tmpdir(), 'reveille-tree-'));
after(() => rmSync(scratch, { recursive: true }));

/** Text of a file; `-> x` a link; `fifo`, a FIFO; of a name that ends in `/` the folder's mode in octal. */
type SiteTree = Readonly<Record<string, string>>;

describe('links', () => {
  const rows: readonly {
    readonly name: string;
    readonly tree: SiteTree;
    readonly laid?: readonly string[];
    readonly found?: readonly string[];
  }[] = [
    {
      name: 'of what has a name of its own in a node`s folder are followed',
      tree: {
        'nodes/common/settings.sh': 'run',
        'shared/hosts.j2': 'hosts',
        'nodes/n/settings.sh': '-> ../common/settings.sh',
        'nodes/n/hosts.j2': '-> ../../shared/hosts.j2',
        'nodes/n/hostname': '-> ../common/name',
        'nodes/common/name': '-> ../../shared/name',
        'shared/name': 'n',
      },
      laid: ['/etc/hostname n', '/etc/hosts hosts', '/var/lib/reveille/settings.sh run'],
    },
    {
      name: 'to a folder of the site are followed: files/, and folders in it',
      tree: {
        'shared/tree/etc/motd': 'm',
        'shared/app/a.conf': 'a',
        'shared/app/b.conf': '-> a.conf',
        'shared/tree/etc/app': '-> ../../app',
        'nodes/n/files': '-> ../../shared/tree',
      },
      laid: ['/etc/app/a.conf a', '/etc/app/b.conf -> a.conf', '/etc/motd m'],
    },
    {
      name: 'that mean something of the node are laid as links',
      tree: {
        'nodes/n/files/etc/localtime': '-> /usr/share/zoneinfo/UTC',
        'nodes/n/files/etc/masked.service': '-> /dev/null',
        'nodes/n/files/etc/wants/a.service': '-> ../a.service',
        'nodes/n/files/etc/resolv.conf': '-> ../run/resolv.conf',
      },
      laid: [
        '/etc/localtime -> /usr/share/zoneinfo/UTC',
        '/etc/masked.service -> /dev/null',
        '/etc/resolv.conf -> ../run/resolv.conf',
        '/etc/wants/a.service -> ../a.service',
      ],
    },
    {
      name: 'out of the tree into the site are followed, absolute ones too',
      tree: {
        'shared/motd': 'm',
        'nodes/n/files/etc/motd': '-> ../../../../shared/motd',
        'nodes/n/files/etc/absolute': '-> SITE/shared/motd',
      },
      laid: ['/etc/absolute m', '/etc/motd m'],
    },
    {
      name: 'out of the site are errors',
      tree: {
        'nodes/n/settings.sh': '-> /etc/passwd',
        'nodes/n/hosts': '-> ../../../out',
        'nodes/n/files/etc/x': '-> ../../../../../../../../../etc/passwd',
        'nodes/n/files/etc/y': '-> ../../../../shared/way',
        'shared/way': '-> /etc/passwd',
        '../out': 'x',
      },
      found: [
        'nodes/n/files/etc/x:1:1: this link leads out of the site, to /etc/passwd | copy its target into the site; a link to something of the node is written with its whole path there, as /etc/passwd',
        'nodes/n/files/etc/y:1:1: this link leads out of the site, to /etc/passwd | copy',
        'nodes/n/hosts:1:1: this link leads out of the site, to ',
        'nodes/n/settings.sh:1:1: this link leads out of the site, to /etc/passwd | copy its target into the site',
      ],
    },
    {
      name: 'to nothing and in circles are errors',
      tree: {
        'nodes/n/settings.sh': '-> nowhere',
        'nodes/n/hosts': '-> hosts',
        'nodes/n/hostname': '-> ../m/hostname',
        'nodes/m/hostname': '-> ../n/hostname',
        'nodes/n/files/etc/gone': '-> ../../../gone',
        'nodes/n/files/etc/up': '-> ../../..',
        'nodes/n/files/etc/a': '-> ../../../../shared/a',
        'shared/a/b': '-> ../../shared',
      },
      found: [
        'nodes/n/files/etc/a/b:1:1: this link leads to a folder that it lies in itself | take it away',
        'nodes/n/files/etc/gone:1:1: this link leads to nothing | repair it or remove it; a link',
        'nodes/n/files/etc/up:1:1: this link leads to a folder that it lies in itself',
        'nodes/n/hostname:1:1: this link leads back to itself',
        'nodes/n/hosts:1:1: this link leads back to itself',
        'nodes/n/settings.sh:1:1: this link leads to nothing',
      ],
    },
    {
      name: 'in circles within the tree are errors too',
      tree: {
        'nodes/n/files/etc/self': '-> self',
        'nodes/n/files/etc/a': '-> b',
        'nodes/n/files/etc/b': '-> a',
        'nodes/n/files/etc/ok': '-> nothing-here',
      },
      found: ['a', 'b', 'self'].map((name) => `nodes/n/files/etc/${name}:1:1: this link leads round in a circle`),
    },
    {
      name: 'do not make text of a template',
      tree: { 'nodes/c/settings.sh.j2': '{{ x }}', 'nodes/n/settings.sh': '-> ../c/settings.sh.j2' },
      found: ['nodes/n/settings.sh:1:1: this link leads to a template and has no name of one | call it settings.sh.j2'],
    },
    {
      name: 'that are the whole folder stay in the site too',
      tree: { 'nodes/n': '-> /usr/share' },
      found: ['nodes/n:1:1: this link leads out of the site, to /usr/share'],
    },
    {
      name: 'that are the whole folder are followed in the site',
      tree: { 'shared/n/hosts': 'h', 'shared/n/files/a': 'a', 'nodes/n': '-> ../shared/n' },
      laid: ['/a a', '/etc/hosts h'],
    },
  ];
  for (const { name, tree, laid = [], found = [] } of rows) it(name, () => holdNode(tree, laid, found));

  it('to files that lie in an overlay are followed from another one', async () => {
    const root = site({
      'overlays/a/etc/x': 'x',
      'overlays/b/etc/y': '-> ../../a/etc/x',
      'overlays/b/opt': '-> ../a/etc',
    });
    const findings = new Findings();
    const overlay = await readOverlay(root, 'b', findings);
    assert.deepEqual(findings.errors, []);
    assert.deepEqual(overlay.sources.map(words), ['/etc/y x', '/opt/x x']);
  });
});

describe('what is neither file, folder nor link', () => {
  it('is an error wherever it stands, and holds nothing up', () =>
    holdNode(
      {
        'nodes/n/settings.sh': 'fifo',
        'nodes/n/hosts/': '755',
        'nodes/n/files': 'a file',
        'nodes/n/overlay.yaml': 'fifo',
      },
      [],
      [
        'nodes/n/files:1:1: is a file, and has to be a folder',
        'nodes/n/hosts:1:1: is a folder, and has to be a file',
        'nodes/n/overlay.yaml:1:1: is a FIFO, and has to be a file',
        'nodes/n/settings.sh:1:1: is a FIFO, and has to be a file',
      ],
    ));

  it('is one in a tree too', () =>
    holdNode(
      { 'nodes/n/files/run/pipe': 'fifo' },
      [],
      ['nodes/n/files/run/pipe:1:1: is a FIFO: only files, folders and symbolic links can be written on a node'],
    ));
});

describe('names', () => {
  const WARNED: readonly (readonly [name: string, hint: string])[] = [
    ['setting.sh', 'did you mean "settings.sh"?'],
    ['Settings.sh', 'did you mean "settings.sh"?'],
    ['settings', 'did you mean "settings.sh"?'],
    ['settings.sh.j3', 'did you mean "settings.sh"?'],
    ['settings.bash', 'did you mean "settings.sh"?'],
    ['host', 'did you mean "hosts" or "hostname"?'],
    ['Hosts', 'did you mean "hosts"?'],
    ['host.j2', 'did you mean "hosts" or "hostname"?'],
    ['hostnames', 'did you mean "hostname"?'],
    ['file/', 'did you mean "files"?'],
    ['Files/', 'did you mean "files"?'],
    ['overlay.yml', 'did you mean "overlay.yaml"?'],
    ['etc/', 'files for the node go below files/: files/etc'],
    ['root/', 'files for the node go below files/: files/root'],
    ['extra.conf', 'known names: files/, hosts, hostname, settings.sh (each also as .j2), overlay.yaml'],
    ['.hidden', 'known names: files/, hosts, hostname, settings.sh (each also as .j2), overlay.yaml'],
  ];
  for (const [name, hint] of WARNED) {
    it(`${name} in a node's folder: ${hint}`, async () => {
      const root = site({ [`nodes/n/${name}${name.endsWith('/') ? 'x' : ''}`]: 'x' });
      const findings = new Findings();
      assert.deepEqual((await readNodeFolder(root, 'n', findings)).sources, []);
      const plain = name.replace(/\/$/, '');
      assert.deepEqual(findings.warnings.map(findingText), [
        `nodes/n/${plain}:1:1: "${plain}" has no meaning in a node's folder and is not written to the node | ${hint}`,
      ]);
      assert.deepEqual(findings.errors, []);
    });
  }

  const IN_TREES: readonly (readonly [path: string, found: string])[] = [
    ['overlays/o/files/etc/x', 'files:1:1: is written on the node as /files | an overlay is written over / as it is'],
    ['overlays/o/ect/x', 'ect:1:1: is written on the node as /ect | did you mean "etc"?'],
    ['overlays/o/Etc/x', 'Etc:1:1: is written on the node as /Etc | did you mean "etc"?'],
    ['overlays/o/user/x', 'user:1:1: is written on the node as /user | did you mean "usr"?'],
    [
      'overlays/o/overlay.yml',
      'overlay.yml:1:1: is written on the node as /overlay.yml | did you mean "overlay.yaml"?',
    ],
    ['overlays/o/Overlay.yaml', 'Overlay.yaml:1:1: is written on the node as /Overlay.yaml | did you mean'],
    ['overlays/o/hosts.j2', 'hosts.j2:1:1: is written on the node as /hosts | did you mean "etc/hosts.j2"?'],
    [
      'overlays/o/settings.sh',
      'settings.sh:1:1: is written on the node as /settings.sh | "settings.sh" has a meaning only',
    ],
    ['overlays/o/data/x', ''],
    ['overlays/o/scratch/x', ''],
  ];
  for (const [path, found] of IN_TREES) {
    it(`${path}: ${found || 'nothing'}`, async () => {
      const findings = new Findings();
      await readOverlay(site({ [path]: 'x' }), 'o', findings);
      const messages = findings.warnings.map(findingText);
      if (found === '') assert.deepEqual(messages, []);
      else assert.ok(messages.length === 1 && messages[0]?.startsWith(`overlays/o/${found}`), messages.join('\n'));
    });
  }

  it('of leftovers are not laid and are reported as notes; as a template any name can be laid', async () => {
    const root = site({
      'nodes/n/settings.sh': 's',
      'nodes/n/settings.sh~': 'old',
      'nodes/n/.settings.sh.swp': 'x',
      'nodes/n/.#settings.sh': '-> me@host.12:34',
      'nodes/n/README.md': 'x',
      'nodes/n/files/etc/a~': 'x',
      'nodes/n/files/etc/a.orig': 'x',
      'nodes/n/files/etc/b~.j2': 'wanted',
      'nodes/n/files/root/.gitconfig': 'git',
    });
    const findings = new Findings();
    const { sources } = await readNodeFolder(root, 'n', findings);
    assert.deepEqual(sources.map(words).sort(), [
      '/etc/b~ wanted',
      '/root/.gitconfig git',
      '/var/lib/reveille/settings.sh s',
    ]);
    assert.deepEqual([findings.errors, findings.warnings], [[], []]);
    assert.deepEqual(findings.notes.map(findingText), [
      "nodes/n/.#settings.sh:1:1: is left out: an editor's lock or swap file",
      "nodes/n/.settings.sh.swp:1:1: is left out: an editor's lock or swap file",
      'nodes/n/files/etc/a.orig:1:1: is left out: a copy of before a change',
      "nodes/n/files/etc/a~:1:1: is left out: an editor's backup copy",
      "nodes/n/settings.sh~:1:1: is left out: an editor's backup copy",
    ]);
  });
});

describe('modes', () => {
  const FILES: readonly (readonly [site: number, node: number])[] = [
    [0o644, 0o644],
    [0o664, 0o644],
    [0o666, 0o644],
    [0o444, 0o644],
    [0o755, 0o755],
    [0o775, 0o755],
    [0o4755, 0o755],
    [0o600, 0o600],
    [0o400, 0o400],
    [0o640, 0o640],
    [0o440, 0o440],
    [0o660, 0o660],
    [0o700, 0o700],
    [0o750, 0o750],
    [0o711, 0o711],
    [0o2750, 0o750],
    [0o4700, 0o700],
  ];
  it('of files: readable for all as ever, and private as they are', () => {
    for (const [mode, expected] of FILES) assert.equal(fileMode(mode), expected, mode.toString(8));
  });
  it('of folders likewise', () => {
    for (const [mode, expected] of [
      [0o755, 0o755],
      [0o2775, 0o755],
      [0o1777, 0o755],
      [0o700, 0o700],
      [0o750, 0o750],
    ] as const)
      assert.equal(folderMode(mode), expected, mode.toString(8));
    assert.deepEqual([shieldOf(0o755), shieldOf(0o750), shieldOf(0o700)], [0, 0o007, 0o077]);
    assert.equal(fileMode(0o644, shieldOf(0o700)), 0o600);
    assert.equal(fileMode(0o755, shieldOf(0o750)), 0o750);
  });

  it('come from files and folders of a node, and from its overlay.yaml, with owners', async () => {
    const root = site({
      'nodes/n/files/root/.ssh/id': 'key',
      'nodes/n/files/root/.ssh/': '700',
      'nodes/n/files/etc/open': 'x',
      'nodes/n/files/etc/app/empty/': '755',
      'nodes/n/files/etc/own/x': 'x',
      'nodes/n/files/etc/': '755',
      'nodes/n/overlay.yaml': `
/etc/open: { group: adm, mode: "4750" }
/etc/own: { owner: nova, mode: "2770" }
/var/lib/new/: { owner: "64060" }
/etc/hosts: { mode: "0600" }
`,
      'nodes/n/hosts': 'h',
    });
    const findings = new Findings();
    const { sources, folders } = await readNodeFolder(root, 'n', findings);
    assert.deepEqual(findings.errors, []);
    const access = ({ path, mode, owner, group }: (typeof sources)[number] | (typeof folders)[number]) =>
      `${path} ${mode.toString(8)} ${owner}:${group}`;
    assert.deepEqual(sources.map(access).sort(), [
      '/etc/hosts 600 root:root',
      '/etc/open 4750 root:adm',
      '/etc/own/x 644 root:root',
      '/root/.ssh/id 600 root:root',
    ]);
    assert.deepEqual(folders.map((one) => `${access(one)}${one.declared ? ' declared' : ''}`).sort(), [
      '/etc/app/empty 755 root:root',
      '/etc/own 2770 nova:root declared',
      '/root/.ssh 700 root:root',
      '/var/lib/new 755 64060:root declared',
    ]);
  });

  it('whose setuid, setgid and sticky bits are not laid are doubted, unless overlay.yaml gives them', async () => {
    const root = site({
      'nodes/n/files/bin/su': 'x',
      'nodes/n/files/bin/said': 'x',
      'nodes/n/files/bin/write': 'x',
      'nodes/n/files/drop/': '1777',
      'nodes/n/files/shared/': '2775',
      'nodes/n/overlay.yaml': '/bin/said: { mode: "4755" }\n',
    });
    for (const [name, mode] of [
      ['su', 0o4755],
      ['said', 0o4755],
      ['write', 0o2755],
    ] as const)
      chmodSync(join(root, 'nodes/n/files/bin', name), mode);
    const findings = new Findings();
    await readNodeFolder(root, 'n', findings);
    assert.deepEqual(findings.errors, []);
    assert.deepEqual(findings.warnings.map(findingText), [
      'nodes/n/files/bin/su:1:1: the setuid bit is not set on the node | overlay.yaml gives it: /bin/su: { mode: "4755" }',
      'nodes/n/files/bin/write:1:1: the setgid bit is not set on the node | overlay.yaml gives it: /bin/write: { mode: "2755" }',
      'nodes/n/files/drop:1:1: the sticky bit is not set on the node | overlay.yaml gives it: /drop/: { mode: "1777" }',
    ]);
  });

  it('that a node`s overlay.yaml gives to nothing are errors, as are vars there', async () => {
    const root = site({ 'nodes/n/overlay.yaml': '/etc/x: { mode: "0600" }\nvars: {}\n/a/../b: {}\n/c: {}\n/c/: {}\n' });
    const findings = new Findings();
    await readNodeFolder(root, 'n', findings);
    assert.deepEqual(
      findings.errors.map((one) => findingText(one).replace(/ \|.*/, '')),
      [
        'nodes/n/overlay.yaml:1:1: this folder has no file /etc/x',
        "nodes/n/overlay.yaml:2:1: a node's folder declares no vars",
        'nodes/n/overlay.yaml:3:1: "/a/../b" is not the path of a file or folder on the node',
        'nodes/n/overlay.yaml:4:1: this folder has no file /c',
        'nodes/n/overlay.yaml:5:1: /c stands here twice',
      ],
    );
  });

  it('of what comes with the program are never private, whatever the umask was when it was installed', async () => {
    const root = site({
      'overlays/o/etc/x': 'x',
      'overlays/o/etc/y': 'y',
      'overlays/o/etc/': '700',
      'overlays/o/': '700',
    });
    for (const name of ['x', 'y']) chmodSync(join(root, 'overlays/o/etc', name), 0o600);
    const findings = new Findings();
    const home = { root, origin: 'overlay o (shipped)', suffix: ' (shipped)', public: true };
    const shipped = new Tree(home, findings, newBudget());
    await shipped.take(await shipped.open('overlays/o'), 'overlay', new Map());
    const { sources, folders } = shipped.withAccess();
    assert.deepEqual([sources.map(({ mode }) => mode), folders], [[0o644, 0o644], []]);
    assert.deepEqual([findings.errors, findings.warnings], [[], []]);
  });

  it('of a whole tree that a umask made private are doubted', async () => {
    const root = site({ 'overlays/o/etc/a': 'a', 'overlays/o/etc/b': 'b', 'overlays/o/': '700' });
    for (const name of ['a', 'b']) chmodSync(join(root, 'overlays/o/etc', name), 0o600);
    const findings = new Findings();
    await readOverlay(root, 'o', findings);
    assert.deepEqual(findings.warnings.map(findingText), [
      'overlays/o:1:1: none of the 2 files here can be read by others, so none can on the node | if a umask caused this: chmod -R go+rX overlays/o',
    ]);
  });
});

async function holdNode(tree: SiteTree, laid: readonly string[], found: readonly string[]): Promise<void> {
  const findings = new Findings();
  const { sources } = await readNodeFolder(site(tree), 'n', findings);
  const messages = findings.errors.map(findingText);
  assert.equal(messages.length, found.length, messages.join('\n'));
  for (const [i, one] of found.entries()) assert.ok(messages[i]?.startsWith(one), `${messages[i]}\nis not ${one}`);
  if (found.length === 0) assert.deepEqual(sources.map(words).sort(), laid);
}

function words(source: Awaited<ReturnType<typeof readNodeFolder>>['sources'][number]): string {
  return `${source.path} ${'target' in source ? `-> ${source.target}` : Buffer.from(source.content).toString()}`;
}

function site(tree: SiteTree): string {
  const root = join(mkdtempSync(join(scratch, 'site-')), 'site');
  mkdirSync(root);
  for (const [name, what] of Object.entries(tree)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    if (name.endsWith('/')) mkdirSync(path, { recursive: true });
    else if (what.startsWith('-> ')) symlinkSync(what.slice(3).replace('SITE', root), path);
    else if (what === 'fifo') execFileSync('mkfifo', [path]);
    else writeFileSync(path, what);
  }
  for (const [name, mode] of Object.entries(tree))
    if (name.endsWith('/')) chmodSync(join(root, name), Number.parseInt(mode, 8) || 0o755);
  return root;
}
