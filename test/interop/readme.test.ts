import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { blocksIn, filesIn, ROOT } from '../../src/cli/testing/docsFixture.ts';

assert.ok(process.env.REVEILLE_ISOLATED, 'run by test/isolated');

const folder = mkdtempSync(join(tmpdir(), 'reveille-readme-'));
before(() => {
  execFileSync('sh', ['-c', 'ip link add eth1 type bridge && ip addr add 10.0.0.2/24 dev eth1 && ip link set eth1 up']);
  for (const [path, text] of Object.entries(filesIn('README.md'))) {
    mkdirSync(dirname(join(folder, 'mysite', path)), { recursive: true });
    writeFileSync(join(folder, 'mysite', path), text);
  }
});
after(() => {
  execFileSync('ip', ['link', 'del', 'eth1']);
  rmSync(folder, { recursive: true });
});

/** What a shell makes of each line of README's block of commands, in its order. */
function typed(): ReadonlyMap<string, { readonly code: number; readonly out: string }> {
  const block = blocksIn('README.md').find(({ language, text }) => language === 'sh' && text.includes('REVEILLE_SITE'));
  const lines = (block?.text ?? '').split('\n').filter((line) => line.trim() !== '');
  const script = lines.map((line) => `${asRun(line)}\nprintf '\\n--- %s %s\\n' "$?" ${quoted(line)}`);
  const ran = spawnSync('sh', ['-c', [...SETUP, ...script, ...CLEANUP].join('\n')], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
  });
  const parts = ran.stdout.split(/\n--- (\d+) (.*)\n/);
  const found = lines.map((line, i) => {
    assert.equal(parts[3 * i + 2], line, `${ran.stdout}\n${ran.stderr}`);
    const command = line.replace(/ *#.*/, '');
    return [command, { code: Number(parts[3 * i + 1]), out: `${parts[3 * i]}` }] as const;
  });
  return new Map(found);
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
/** The clone that README speaks of, as `$PWD/bin`. */
const SETUP = ['exec 2>&1', `ln -s ${quoted(join(ROOT, 'bin'))} bin`, 'server='];
const CLEANUP = ['[ -z "$server" ] || { kill "$server"; wait "$server"; }'];

/** A line as it stands, but for what takes minutes and the network, and what does not end by itself. */
function asRun(line: string): string {
  if (line.startsWith('make setup-demo') || line.startsWith('reveille image build')) return 'true';
  if (line.startsWith('reveille serve'))
    return `reveille serve --keep-privileges >serve.log & server=$!
for _ in $(seq 300); do grep -q 'server started' serve.log && break; sleep 0.1; done; cat serve.log`;
  if (line.startsWith('reveille watch')) return 'timeout 3 reveille watch';
  return line;
}

/** Runs blocks of the guide as they stand, one after the other, in a site that has what they speak of. */
test('the guide’s commands that make and change a site work as they are printed', () => {
  const at = mkdtempSync(join(folder, 'guide-'));
  const site =
    'networks: { cluster: { interface: eth1, subnet: 10.0.0.0/24 } }\nprofiles: { compute: { boot: local } }\nnodes:\n';
  writeFileSync(join(at, 'site.yaml'), `${site}  node50: { mac: 52:54:00:00:02:50, ip: 10.0.0.50 }\n`);
  writeFileSync(join(at, 'rack.csv'), 'name,mac,ip\nnode90,5254.0000.0290,10.0.0.90\n');
  const guide = blocksIn('docs/operators-guide.md').filter(({ language }) => language === 'sh');
  const blocks = ['reveille schema site', 'reveille node add'].map(
    (begins) => guide.find(({ text }) => text.includes(begins))?.text ?? assert.fail(`the guide has no ${begins}`),
  );
  const bin = join(ROOT, 'bin');
  const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', blocks.join('\n')], {
    cwd: at,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /node17/);
  const after = readFileSync(join(at, 'site.yaml'), 'utf8');
  assert.match(after, /^ {2}"?node\[01-16\]"?: /m);
  assert.doesNotMatch(after, /node17|node90/, 'one was removed again, the other was a rehearsal');
  assert.equal(JSON.parse(readFileSync(join(at, 'site.schema.json'), 'utf8')).title, 'Reveille site (site.yaml)');
});

test("README's site and commands work as they are printed", () => {
  const ran = typed();
  const told = (command: string) => ran.get(command) ?? assert.fail(`README has no line ${command}`);
  const codes = Object.fromEntries([...ran].map(([command, { code }]) => [command, code]));
  assert.deepEqual(codes, {
    'make setup-demo': 0,
    'export PATH=$PWD/bin:$PATH': 0,
    'export REVEILLE_SITE=$PWD/mysite': 0,
    'export REVEILLE_STATE=$PWD/mystate': 0,
    'reveille check': 0,
    'reveille image build bookworm-ram': 0,
    'reveille serve': 0,
    'reveille status': 0,
    'reveille watch': 124,
    'reveille explain node01': 0,
  });
  assert.match(told('reveille serve').out, /server started: cluster on eth1 as 10\.0\.0\.2; HTTP on port 8080/);
  assert.match(told('reveille status').out, /^node01 +10\.0\.0\.51 +52:54:00:00:00:51 +bookworm-ram +unseen/m);
  assert.match(told('reveille explain node01').out, /10\.0\.0\.51/);
  assert.doesNotMatch(told('reveille watch').out, /reveille:/, 'it waits for events');
});
