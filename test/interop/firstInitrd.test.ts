import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { parseReport, type Report } from '../../src/node/report.ts';

// The script of the first initrd, run by busybox as it is run on a node, but for what would reboot the machine.

const INIT = join(import.meta.dirname, '../../src/image/firstInitrd/init');
const AGENT = join(import.meta.dirname, '../../src/node/agent');
const PATIENCE_MS = 60_000;

let tools = '';
before(() => {
  if (process.env.REVEILLE_ISOLATED !== '1') throw new Error('run this in test/isolated: the script can reboot');
  tools = mkdtempSync(join(tmpdir(), 'busybox-'));
  for (const applet of execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    symlinkSync('/usr/bin/busybox', join(tools, applet));
  }
});
after(() => rmSync(tools, { recursive: true, force: true }));

/** The script's functions, without its pauses and with `reboot` as an exit code. */
function prelude(folder: string): string {
  return `LIB=${AGENT}
. ${INIT}
PATH=${tools}
WORK=${folder}
REBOOT_AFTER=0
pause() { :; }
reboot() { exit 42; }
`;
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'first-initrd-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('the kernel line, as busybox reads it', () => {
  const NAMES = ['SERVER', 'MAC', 'ROOT_PATH', 'ROOT_SUM', 'ROOT_SIZE', 'DEBUG'] as const;

  function read(t: TestContext, line: string | Uint8Array): { readonly [name: string]: string } {
    const folder = newFolder(t);
    writeFileSync(join(folder, 'cmdline'), line);
    const print = NAMES.map((name) => `printf '%s\\0' "$${name}"`).join('\n');
    const script = `${prelude(folder)}read_kernel_line ${join(folder, 'cmdline')}\n${print}\n`;
    const said = execFileSync('busybox', ['sh', '-c', script], { encoding: 'utf8', timeout: PATIENCE_MS });
    return Object.fromEntries(
      said.split('\0').flatMap((value, at) => (NAMES[at] && value ? [[NAMES[at], value]] : [])),
    );
  }

  const SUM = 'ab'.repeat(32);
  const rows: readonly (readonly [string, string, { readonly [name: string]: string }])[] = [
    [
      'what the server writes',
      `initrd=initrd console=ttyS0 rw reveille.root=/boot/images/${SUM}/root.squashfs reveille.rootsum=${SUM} ` +
        'reveille.rootsize=31293440 BOOTIF=01-52-54-00-AB-00-51 reveille.server=http://10.0.0.2:8080 TFTP=10.0.0.2\n',
      {
        SERVER: 'http://10.0.0.2:8080',
        MAC: '52:54:00:ab:00:51',
        ROOT_PATH: `/boot/images/${SUM}/root.squashfs`,
        ROOT_SUM: SUM,
        ROOT_SIZE: '31293440',
      },
    ],
    ['nothing', '', {}],
    ['a server with a slash at its end', 'reveille.server=http://10.0.0.2/', { SERVER: 'http://10.0.0.2' }],
    ['debug', 'quiet reveille.debug', { DEBUG: 'yes' }],
    ['a sum that is too short', `reveille.rootsum=${SUM.slice(1)}`, {}],
    ['a sum of other letters', `reveille.rootsum=${'g'.repeat(64)}`, {}],
    ['a size that is no number', 'reveille.rootsize=12k', {}],
    ['a size that is no size', 'reveille.rootsize=0', {}],
    ['a path that is not one', 'reveille.root=http://elsewhere/x', {}],
    ['wildcards and commands, which stay words', 'reveille.root=/* $(reboot) `reboot` *', { ROOT_PATH: '/*' }],
  ];
  for (const [what, line, expected] of rows) test(what, (t) => assert.deepEqual(read(t, line), expected));

  test('random lines give nothing that is not of its form', (t) => {
    const words = fc.array(
      fc.oneof(
        fc.string(),
        fc
          .tuple(
            fc.constantFrom('reveille.root=', 'reveille.rootsum=', 'reveille.rootsize=', 'BOOTIF=', 'reveille.server='),
            fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f]{60,66}$/), fc.constant('http://x'), fc.constant('/')),
          )
          .map((pair) => pair.join('')),
      ),
    );
    fc.assert(
      fc.property(words, (any) => {
        const { ROOT_PATH, ROOT_SUM, ROOT_SIZE, SERVER } = read(t, any.join(' '));
        assert.match(ROOT_PATH ?? '/', /^\//);
        assert.match(ROOT_SUM ?? SUM, /^[0-9a-f]{64}$/);
        assert.match(ROOT_SIZE ?? '1', /^[1-9][0-9]{0,14}$/);
        assert.match(SERVER ?? 'http://x', /^http:\/\//);
      }),
      { numRuns: 40 },
    );
  });
});

const ROOT = randomBytes(3_000_000);
const SUM = createHash('sha256').update(ROOT).digest('hex');

type Give = (request: IncomingMessage, response: ServerResponse, first: number, attempt: number) => void;

/** The rest from `first` on, as Reveille's own server gives it. */
const giveRest = (response: ServerResponse, first: number, of = ROOT): void => {
  response.writeHead(first > 0 ? 206 : 200, {
    'content-length': of.length - first,
    ...(first > 0 ? { 'content-range': `bytes ${first}-${of.length - 1}/${of.length}` } : {}),
  });
  response.end(of.subarray(first));
};

/** Fetches the root from a server of the test's; what it asked for, what it reported, what it said and how it ended. */
async function fetch(t: TestContext, give: Give, set = '') {
  const asked: number[] = [];
  const reports: Report[] = [];
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      const chunks: Uint8Array[] = [];
      request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
      request.on('end', () => {
        reports.push(parseReport(Buffer.concat(chunks)));
        response.writeHead(204).end();
      });
      return;
    }
    const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    asked.push(first);
    give(request, response, first, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const folder = newFolder(t);
  mkdirSync(join(folder, 'image'));
  const file = join(folder, 'image/root.squashfs');
  const port = (server.address() as AddressInfo).port;
  const script = `${prelude(folder)}
SERVER=http://127.0.0.1:${port} MAC=52:54:00:00:00:51 ONLINE=yes
ROOT_PATH=/root.squashfs ROOT_SUM=${SUM} ROOT_SIZE=${ROOT.length}
${set}
fetch_root ${file}
`;
  const program = spawn('busybox', ['sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
  let said = '';
  program.stdout.on('data', (chunk) => {
    said += chunk;
  });
  program.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const code = await new Promise<number | null>((resolve) => program.on('close', resolve));
  const whole = code === 0 && readFileSync(file).equals(ROOT);
  return { asked, reports, said, code, whole };
}

describe('fetching the root with busybox', { concurrency: true }, () => {
  test('a whole transfer', async (t) => {
    const { asked, code, whole, said } = await fetch(t, (_, response, first) => giveRest(response, first));
    assert.equal(code, 0, said);
    assert.ok(whole);
    assert.deepEqual(asked, [0]);
  });

  test('a connection that is cut goes on where it was, and is reported', async (t) => {
    const { asked, reports, code, whole, said } = await fetch(t, (_, response, first, attempt) => {
      if (attempt > 3) return giveRest(response, first);
      response.writeHead(first > 0 ? 206 : 200, { 'content-length': ROOT.length - first });
      response.write(ROOT.subarray(first, first + 700_000), () => setTimeout(() => response.destroy(), 50));
    });
    assert.equal(code, 0, said);
    assert.ok(whole);
    assert.equal(asked.length, 4);
    assert.ok(
      asked.every((first, at) => at === 0 || first > (asked[at - 1] ?? 0)),
      `each asks for less: ${asked}`,
    );
    assert.ok(
      reports.some(
        ({ step, status, detail }) => step.code === 'root' && status === 'started' && /^cut at/.test(detail ?? ''),
      ),
    );
    assert.ok(
      reports.every(({ seq }, at) => at === 0 || seq > (reports[at - 1]?.seq ?? 0)),
      'numbers grow',
    );
  });

  test('a server that sends no more without closing is left', async (t) => {
    const { asked, code, whole, said } = await fetch(
      t,
      (_, response, first, attempt) => {
        if (attempt > 1) return giveRest(response, first);
        response.writeHead(200, { 'content-length': ROOT.length });
        response.write(ROOT.subarray(0, 1_000_000));
      },
      'STALL_PATIENCE=2',
    );
    assert.equal(code, 0, said);
    assert.ok(whole);
    assert.equal(asked.length, 2);
    assert.ok((asked[1] ?? 0) > 0);
    assert.match(said, /no byte came for 2 s/);
  });

  test('a proxy that knows no ranges gives it whole', async (t) => {
    const { code, whole, said } = await fetch(t, (_, response, first, attempt) => {
      if (attempt > 1) return giveRest(response, 0);
      response.writeHead(200, { 'content-length': ROOT.length });
      response.write(ROOT.subarray(first, 700_000), () => setTimeout(() => response.destroy(), 50));
    });
    assert.equal(code, 0, said);
    assert.ok(whole);
  });

  test('a server that is busy or broken is asked again and again', async (t) => {
    const { asked, code, whole, said } = await fetch(t, (_, response, first, attempt) => {
      if (attempt < 8) response.writeHead(503, { 'content-length': 0 }).end();
      else giveRest(response, first);
    });
    assert.equal(code, 0, said);
    assert.ok(whole);
    assert.equal(asked.length, 8);
  });

  for (const [what, other] of [
    ['another root of the same size', Buffer.alloc(ROOT.length, 1)],
    ['a longer one', Buffer.concat([ROOT, Buffer.from('more')])],
  ] as const) {
    test(`${what} is fetched three times and refused in words`, async (t) => {
      const { asked, reports, code, said } = await fetch(t, (_, response) => giveRest(response, 0, other));
      assert.equal(code, 42, said);
      assert.deepEqual(asked, [0, 0, 0]);
      const last = reports.at(-1);
      assert.equal(last?.status, 'failed');
      const sum = createHash('sha256').update(other).digest('hex');
      assert.equal(last?.detail, `the root has the wrong checksum ${sum}; the kernel line says ${SUM}`);
      assert.match(said, /FAILED: the root has the wrong checksum/);
    });
  }

  test('an image that the server no longer has ends the boot', async (t) => {
    const { asked, reports, code, said } = await fetch(t, (_, response) =>
      response.writeHead(404, { 'content-length': 0 }).end(),
    );
    assert.equal(code, 42, said);
    assert.equal(asked.length, 5);
    assert.equal(reports.at(-1)?.status, 'failed');
    assert.match(reports.at(-1)?.detail ?? '', /404/);
  });
});

test('the script never ends without words, whatever goes wrong in it', (t) => {
  const folder = newFolder(t);
  const script = `${prelude(folder)}
trap 'give_up "the first initrd ended where it should not have"' EXIT
echo "$NEVER_SET"
`;
  assert.throws(
    () => execFileSync('busybox', ['sh', '-c', script], { encoding: 'utf8', stdio: 'pipe', timeout: PATIENCE_MS }),
    (error: { status?: number; stdout?: string }) => {
      assert.equal(error.status, 42);
      assert.match(error.stdout ?? '', /FAILED: the first initrd ended where it should not have/);
      return true;
    },
  );
});
