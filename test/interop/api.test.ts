import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { layBridge, requireTools, sh } from './dhcp.rig.ts';
import { runProgram, serveProgram, untilTrue } from './program.rig.ts';

// The operators' API over TCP as clients that we did not write see it: curl, and openssl for certificates.

requireTools('curl', 'openssl');

const folder = mkdtempSync(join(tmpdir(), 'reveille-api-'));
const [site, state] = [join(folder, 'site'), join(folder, 'state')];
const certificate = join(state, 'api/certificate.pem');
let server: Awaited<ReturnType<typeof serveProgram>>;

const edit = (api: string) =>
  writeFileSync(
    join(site, 'site.yaml'),
    `networks:\n  rack: { interface: br0, subnet: 10.0.0.0/24, server: 10.0.0.2 }\nnodes:\n  node01: { mac: '52:54:00:00:00:51', ip: 10.0.0.51 }\n${api}`,
  );

/** What a command printed on standard output alone; rejects where it fails. */
const printed = async (...args: string[]) => {
  const { code, text } = await runProgram(...args, '--state', state);
  assert.equal(code, 0, text);
  return text;
};
const makeToken = async (name: string, role: string) => (await printed('token', 'create', name, '--role', role)).trim();

/** `200 {"…}`: status and body. */
async function curl(token: string | undefined, path: string, ...more: string[]): Promise<string> {
  const auth = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`];
  const args = ['-sS', '--max-time', '20', '--cacert', certificate, ...auth, '-w', '\n%{http_code}', ...more];
  const { stdout } = await promisify(execFile)('curl', [...args, `https://10.0.0.2:8443${path}`]);
  const at = stdout.lastIndexOf('\n');
  return `${stdout.slice(at + 1)} ${stdout.slice(0, at)}`;
}

const POST = ['-X', 'POST', '-H', 'content-type: application/json', '-d'];

before(async () => {
  mkdirSync(site, { recursive: true });
  mkdirSync(state);
  edit('api: {}\n');
  layBridge();
  server = await serveProgram(site, state);
});

after(async () => {
  server.kill();
  await new Promise((resolve) => server.once('exit', resolve));
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

describe('the API over TCP', () => {
  test('proves itself with a certificate of its own, whose key is private', async () => {
    assert.equal(statSync(join(state, 'api/key.pem')).mode & 0o777, 0o600);
    const { stdout } = await promisify(execFile)('openssl', [
      'x509',
      '-in',
      certificate,
      '-noout',
      '-fingerprint',
      '-sha256',
      '-ext',
      'subjectAltName',
    ]);
    assert.match(stdout, /IP Address:10\.0\.0\.2/);
    const [, hex = ''] = /Fingerprint=([0-9A-F:]+)/.exec(stdout) ?? [];
    assert.ok((await printed('status', '--site', site)).includes(`sha256:${hex.replaceAll(':', '').toLowerCase()}`));
    assert.match(await curl(undefined, '/api/v1/health'), /^200 \{"ok":true\}$/);
  });

  test('lets in by token and role, and says why not', async () => {
    const [viewer, operator, admin] = [
      await makeToken('view', 'viewer'),
      await makeToken('act', 'operator'),
      await makeToken('adm', 'admin'),
    ];
    assert.match(viewer, /^rvl_[0-9a-f]{64}$/);
    assert.match(await curl(undefined, '/api/v1/status'), /^401 .*TOKEN_REFUSED/);
    assert.match(await curl(`rvl_${'0'.repeat(64)}`, '/api/v1/status'), /^401 .*TOKEN_REFUSED/);
    assert.match(await curl(viewer, '/api/v1/status'), /^200 .*"node01"/);
    const order = '{"nodes":"node01","timeoutMs":0}';
    assert.match(await curl(viewer, '/api/v1/sync', ...POST, order), /^403 .*ROLE_LACKING/);
    assert.match(await curl(operator, '/api/v1/sync', ...POST, order), /^200 .*"node01"/);
    assert.match(await curl(operator, '/api/v1/tokens'), /^403 /);
    assert.match(await curl(admin, '/api/v1/tokens'), /^200 .*"name":"act"/);
    assert.doesNotMatch(await curl(admin, '/api/v1/tokens'), /rvl_|hash/);
    for (const text of [viewer, operator, admin]) {
      for (const file of ['reveille.db', 'events.db'])
        assert.ok(!readFileSync(join(state, file)).includes(text.slice(4)), `${file} holds a token`);
    }
    const changed = await untilEvents(viewer, 'audit.change');
    assert.ok(
      changed.some((line) => /"actor":"act".*"operation":"syncNodes".*"from":"10\.0\.0\.2"/.test(line)),
      changed.join(),
    );
    assert.match(await printed('token', 'revoke', 'view'), /revoked/);
    assert.match(await curl(viewer, '/api/v1/status'), /^401 /);
  });

  test('streams events that curl reads, and goes on after the last that it had', async () => {
    const viewer = await makeToken('stream', 'viewer');
    const ids = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    /** What curl had read when its time was over. */
    const stream = async (seconds: number, during: () => Promise<unknown>, ...more: string[]) => {
      const reading = promisify(execFile)('curl', [
        ...['-sSN', '--max-time', String(seconds), '--cacert', certificate, '-H', `Authorization: Bearer ${viewer}`],
        ...[...more, 'https://10.0.0.2:8443/api/v1/events?kind=audit.*'],
      ]).catch((error: { stdout: string }) => error);
      await during();
      return (await reading).stdout;
    };
    const first = await stream(8, () => makeToken('during1', 'viewer'), '-H', 'Last-Event-ID: 0');
    assert.match(first, /^retry: \d+\n\n/);
    assert.match(first, /"operation":"createToken","values":"[^\n]*during1/);
    await makeToken('between', 'viewer');
    const last = ids(first).at(-1);
    const second = await stream(8, () => makeToken('during2', 'viewer'), '-H', `Last-Event-ID: ${last}`);
    assert.ok(!second.includes('during1') && second.includes('between') && second.includes('during2'), second);
    const all = [...ids(first), ...ids(second)];
    assert.deepEqual(
      all,
      [...new Set(all)].sort((a, b) => a - b),
    );
    assert.match(await printed('events', '--kind', 'audit.*'), /createToken .*between/);
    assert.match(await curl(viewer, '/api/v1/audit?limit=1'), /^200 \[\{.*"kind":"audit\.change"/);
  });

  test('gives metrics that Prometheus takes, to viewers, and to everyone where the site says so', async () => {
    requireTools('promtool');
    const viewer = await makeToken('metrics', 'viewer');
    assert.match(await curl(undefined, '/metrics'), /^401 /);
    const text = (await curl(viewer, '/metrics')).replace(/^200 /, '');
    execFileSync('promtool', ['check', 'metrics'], { input: `${text}\n` });
    assert.match(text, /^reveille_nodes\{state="address-only"\} 1$/m);
    assert.match(text, /^reveille_service_running\{service="dhcp"\} 1$/m);
    assert.match(text, /^reveille_dhcp_requests_total 0$/m);
    assert.doesNotMatch(text, /node01/);
    edit('api: { metrics: { open: true, nodes: true } }\n');
    await untilTrue(async () =>
      /^200 [\s\S]*reveille_node_state\{node="node01"/.test(await curl(undefined, '/metrics')),
    );
    edit('api: {}\n');
    await untilTrue(async () => (await curl(undefined, '/metrics')).startsWith('401'));
  });

  test('is asked by the command line of another machine, which trusts no other server', async () => {
    const file = join(folder, 'token');
    writeFileSync(file, `${await makeToken('cli', 'operator')}\n`);
    chmodSync(file, 0o600);
    const there = ['--server', 'https://10.0.0.2:8443', '--token-file', file, '--state', '/nonexistent'];
    const { api } = JSON.parse(await printed('status', '--site', site, '--json'));
    const pinned = await runProgram('status', ...there, '--server-fingerprint', `sha256:${api.fingerprint}`);
    assert.equal(pinned.code, 0, pinned.text);
    assert.match(pinned.text, /node01/);
    const byCa = await runProgram('lease', 'list', ...there, '--server-ca', certificate);
    assert.equal(byCa.code, 0, byCa.text);
    const pin = ['--server-fingerprint', `sha256:${api.fingerprint}`];
    const why = await runProgram('why', 'node01', ...there, ...pin);
    assert.deepEqual([why.code, /node01/.test(why.text)], [0, true], why.text);
    const power = await runProgram('power', 'node01', 'status', ...there, ...pin);
    assert.match(power.text, /node01 .*failed/, 'it has no BMC');
    const add = ['node', 'add', 'node02', '--mac', '52:54:00:00:00:52', '--ip', 'next'];
    assert.match((await runProgram(...add, ...there, ...pin)).text, /role admin.*ROLE_LACKING/s);
    const other = await runProgram('status', ...there, '--server-fingerprint', `sha256:${'0'.repeat(64)}`);
    assert.match(other.text, /another certificate: sha256:[0-9a-f]{64}[\s\S]*CERTIFICATE_INVALID/);
    const unknown = await runProgram('status', ...there);
    assert.match(unknown.text, /not trusted[\s\S]*CERTIFICATE_INVALID/);
    const clear = await runProgram('status', ...there, '--server', 'http://10.0.0.2:8443');
    assert.match(clear.text, /without TLS/);
  });

  test('follows the site: port, TLS and certificate, without a restart', async () => {
    const viewer = await makeToken('follow', 'viewer');
    const plain = async (port: number) =>
      (
        await promisify(execFile)('curl', [
          '-sSf',
          '--max-time',
          '5',
          '-H',
          `Authorization: Bearer ${viewer}`,
          `http://10.0.0.2:${port}/api/v1/me`,
        ])
      ).stdout;
    edit('api: { port: 9443, tls: off }\n');
    await untilTrue(async () => (await plain(9443)).includes('"follow"'));
    await assert.rejects(curl(viewer, '/api/v1/me'), 'the port before is closed');
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
    await promisify(execFile)('openssl', [
      ...made,
      '-subj',
      '/CN=own',
      '-addext',
      'subjectAltName=IP:10.0.0.2',
      '-keyout',
      join(site, 'own.key'),
      '-out',
      join(site, 'own.pem'),
    ]);
    edit('api: { tls: { certificate: own.pem, key: own.key } }\n');
    await untilTrue(async () =>
      (await curl(viewer, '/api/v1/me', '--cacert', join(site, 'own.pem'))).startsWith('200'),
    );
    edit('');
    await untilTrue(() =>
      curl(viewer, '/api/v1/me').then(
        () => false,
        () => true,
      ),
    );
    edit('api: {}\n');
    await untilTrue(async () => (await curl(viewer, '/api/v1/me')).startsWith('200'));
  });
});

async function untilEvents(token: string, kind: string): Promise<readonly string[]> {
  let lines: readonly string[] = [];
  await untilTrue(async () => {
    lines = (await curl(token, '/api/v1/events?limit=500', '-H', 'accept: application/x-ndjson')).split('\n');
    lines = lines.filter((line) => line.includes(`"kind":"${kind}"`));
    return lines.length > 0;
  });
  return lines;
}
