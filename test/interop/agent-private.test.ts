import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { makeBundle } from '../../src/node/bundle.ts';
import { SecretMask } from '../../src/node/secretMask.ts';
import { type SyncResult, syncNodes } from '../../src/node/sync.ts';
import { type Flavour, killAll } from './agent.rig.ts';
import { KERNEL, PORT, stage, until } from './agent.stage.ts';

// What other users of a node can see of its agent, and what the agent makes of a server that asks it to wait.

/** The programs that the agent fetches with: Debian's curl, Debian's wget, busybox's. */
const CLIENTS: readonly (readonly [client: string, flavour: Flavour, without: readonly string[]])[] = [
  ['curl', 'dash', []],
  ['GNU wget', 'dash', ['curl']],
  ['busybox wget', 'busybox', []],
];

for (const [client, flavour, without] of CLIENTS) {
  test(`${client}: the node proves by its token who it is, and no other user of it can read that, or anything else`, async (t) => {
    const { machine, server } = await stage(t, flavour, { 'overlays/nova/etc/a': 'a' }, { without });
    assert.equal((await machine.start(KERNEL)).code, 0);
    await until(() => server.orders.isWaiting('node01'));
    const token = machine.read('run/reveille/token').trim();
    assert.match(token, /^[0-9a-f]{64}$/);
    assert.equal((await sync(server)).result, 'done');
    await until(() => server.orders.isWaiting('node01'));
    // A request is held at the server: here is how it was made.
    const seen = processes().filter(({ arguments: given }) => /\/node\/v1\/wait/.test(given));
    assert.ok(seen.length > 0, 'the held request is a process');
    for (const { arguments: given, environment } of seen) {
      assert.ok(!given.includes(token), given);
      assert.ok(!environment.includes(token));
    }
    assert.match(seen[0]?.arguments ?? '', client === 'busybox wget' ? /token=body/ : /wait\?mac=[^ ]*seconds=\d+$/);
    for (const path of ['bundle', 'wait']) {
      const url = `http://10.0.0.2:${PORT}/node/v1/${path}?mac=52:54:00:00:00:51&token=want`;
      assert.equal(await status(url), '403', `${path} without the token`);
    }
    // Nothing of the agent's can be reached but what it laid for others.
    for (const folder of ['run/reveille', 'var/lib/reveille', 'run/reveille/boot', 'run/reveille/reports'])
      assert.equal(statSync(join(machine.root, folder)).mode & 0o777, 0o700, folder);
    for (const file of readdirSync(join(machine.root, 'run/reveille')).filter((name) => !name.startsWith('applying'))) {
      const { mode } = lstatSync(join(machine.root, 'run/reveille', file));
      if ((mode & 0o170000) !== 0o120000) assert.equal(mode & 0o077, 0, file);
    }
    killAll();
    // What the agent says of itself does not hold it either.
    const printed = server.events().map(({ detail, output }) => `${detail} ${output}`);
    assert.ok(!printed.join('\n').includes(token));
  });

  test(`${client}: a server that is busy is asked again later; no report is lost, and the boot goes on`, async (t) => {
    const { machine, server } = await stage(t, flavour, { 'overlays/nova/etc/a': 'a' }, { listen: false, without });
    await server.listen(PORT + 1);
    const refused: { path: string; at: number }[] = [];
    const proxy = createServer((asked, answer) => {
      const path = /\/node\/v1\/(\w+)/.exec(asked.url ?? '')?.[1] ?? '';
      const before = refused.filter((one) => one.path === path).length;
      if (before < 3 && path !== 'wait') {
        refused.push({ path, at: Date.now() });
        asked.resume();
        answer.writeHead(before % 2 === 0 ? 429 : 503, { 'retry-after': '1' }).end('too many requests');
      } else forward(asked, (got, body) => answer.writeHead(got.statusCode ?? 500, got.headers).end(body));
    });
    await new Promise<void>((resolve) => proxy.listen(PORT, '10.0.0.2', resolve));
    t.after(() => closed(proxy));
    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 0, printed);
    const paths = new Set(refused.map(({ path }) => path));
    for (const path of ['report', 'inventory', 'bundle']) assert.ok(paths.has(path), `${path} was refused`);
    for (const path of ['inventory', 'bundle']) {
      const [first, second] = refused.filter((one) => one.path === path);
      assert.ok((second?.at ?? 0) - (first?.at ?? 0) >= 1000, `${path} was asked for again too early`);
    }
    assert.deepEqual(server.steps(), [
      'agent started',
      'agent done',
      'network done',
      'inventory done',
      'bundle done',
      'files done',
      'hostname done',
      'ready done',
    ]);
    await until(() => server.news().length === 1);
  });
}

test('a server that knows no tokens is asked as before', async (t) => {
  const { machine, server } = await stage(t, 'busybox', { 'overlays/nova/etc/a': 'a' }, { listen: false });
  await server.listen(PORT + 1);
  const asked: string[] = [];
  const proxy = createServer((request, answer) => {
    asked.push(`${request.method} ${request.url}`);
    request.url = request.url?.replace('&token=want', '');
    forward(request, (got, body) => answer.writeHead(got.statusCode ?? 500, got.headers).end(body));
  });
  await new Promise<void>((resolve) => proxy.listen(PORT, '10.0.0.2', resolve));
  t.after(() => closed(proxy));
  const { code, printed } = await machine.start(KERNEL);
  assert.equal(code, 0, printed);
  await until(() => server.orders.isWaiting('node01'));
  assert.ok(asked.some((line) => /^GET \/node\/v1\/bundle\?.*&token=want$/.test(line)));
  assert.ok(asked.some((line) => /^GET \/node\/v1\/wait\?[^ ]*seconds=\d+$/.test(line)));
  assert.equal(existsSync(join(machine.root, 'run/reveille/token')), false);
});

for (const flavour of ['dash', 'busybox'] as const) {
  test(`${flavour}: a secret of the bundle is in nothing that leaves the node, in no form, and in no log of the agent`, async (t) => {
    const secret = `s3"cr\\et 'of' $nova`;
    const mask = SecretMask.of([secret]);
    const forms = mask.agentList.trimEnd().split('\n');
    assert.ok(forms.length > 10);
    const script = `#!/bin/sh
echo begins; cat /etc/forms; echo "admin_pass = unknown-one"
i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i + 1)); done
cat /etc/forms /etc/forms
printf 'one more: '; head -n 1 /etc/forms
printf 'window \\033]0;title\\007 \\302\\233 ends\\n'
exit 3
`;
    const file = { mode: 0o600, owner: 'root', group: 'root', origin: 'overlay x' };
    const bundle = () =>
      makeBundle(
        [
          { ...file, path: '/etc/forms', content: Buffer.from(forms.map((form) => `${form} <- form\n`).join('')) },
          { ...file, path: '/etc/hostname', content: Buffer.from('node01\n') },
          { ...file, mode: 0o755, path: '/var/lib/reveille/settings.sh', content: Buffer.from(script) },
        ],
        [
          {
            run: `echo '${forms[0]?.replaceAll("'", "'\\''")}'; cat /etc/forms; exit 4 # ${forms.at(-1)}`,
            watches: () => true,
          },
        ],
        mask,
      );
    const { machine, server } = await stage(t, flavour, {}, { bundle });
    const { code, printed } = await machine.start(KERNEL);
    assert.equal(code, 3, printed);
    const hook = server.event('hook', 'failed');
    const settings = server.event('settings', 'failed');
    assert.match(hook?.detail ?? '', /\*\*\*.*ended with exit code 4$/);
    assert.match(settings?.output ?? '', /\*\*\* <- form\none more: \*\*\* <- form\nwindow .*ends$/);
    await until(() => server.news().length > 0);
    const everywhere = [
      printed,
      JSON.stringify(
        server.events().map(({ code, subject, detail, output }) => [code, subject, detail, output]),
        undefined,
        1,
      ),
      JSON.stringify(server.news()),
      machine.read('run/reveille/settings.log'),
      ...readdirSync(join(machine.root, 'run/reveille'))
        .filter((name) => name.endsWith('.log'))
        .map((name) => machine.read(`run/reveille/${name}`)),
    ];
    for (const text of everywhere) {
      for (const form of [...forms, 'unknown-one'])
        assert.ok(!text.includes(form), `${form} in ${text.slice(0, 2000)}`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    }
    assert.match(machine.read('run/reveille/settings.log'), /^begins\n\*\*\* <- form\n/);
  });
}

test('an agent whose token the server no longer knows asks for another when it boots, and keeps the old one until it has it', async (t) => {
  const { machine, server } = await stage(t, 'dash', { 'overlays/nova/etc/a': 'a' });
  execFileSync('mkdir', ['-p', join(machine.root, 'run/reveille')]);
  const old = 'ab'.repeat(32);
  writeFileSync(join(machine.root, 'run/reveille/token'), `${old}\n`);
  writeFileSync(join(machine.root, 'run/reveille/token.curl'), `header = "x-reveille-token: ${old}"\n`);
  const { code, printed } = await machine.start(KERNEL);
  assert.equal(code, 0, printed);
  assert.notEqual(machine.read('run/reveille/token').trim(), old);
  await until(() => server.orders.isWaiting('node01'));
});

async function sync(server: Awaited<ReturnType<typeof stage>>['server']): Promise<SyncResult> {
  const options = { what: 'apply', wait: false, patienceMs: 30_000, gone: new AbortController().signal } as const;
  for await (const result of syncNodes(['node01'], options, server.orders, server.feed)) return result;
  throw new Error('no result');
}

/** What any user may read of the processes on the machine, and what only root may. */
function processes(): readonly { readonly arguments: string; readonly environment: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const text = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ arguments: text('cmdline'), environment: text('environ') }];
      } catch {
        return [];
      }
    });
}

/** The status that a user of the node gets without the token. */
async function status(url: string): Promise<string> {
  const curl = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', url];
  return (await promisify(execFile)('ip', ['netns', 'exec', 'node', ...curl])).stdout;
}

/** Its connections too, of which one waits for orders. */
function closed(proxy: Server): void {
  proxy.close();
  proxy.closeAllConnections();
}

function forward(asked: IncomingMessage, answer: (got: IncomingMessage, body: Buffer) => void): void {
  const { url: path, method, headers } = asked;
  const on = request({ host: '10.0.0.2', port: PORT + 1, path, method, headers }, (got) => {
    const pieces: Buffer[] = [];
    got.on('data', (piece) => pieces.push(piece));
    got.on('end', () => answer(got, Buffer.concat(pieces)));
  });
  // Whoever goes away meanwhile, here or there, hears no answer.
  on.on('error', () => asked.destroy());
  asked.socket.once('close', () => on.destroy());
  asked.pipe(on);
}
