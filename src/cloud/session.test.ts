import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { CloudAccess } from './clouds.ts';
import { openSession } from './session.ts';

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

/** A cloud with one service, `compute`, and what was asked of it. */
async function cloud(t: TestContext, compute: Answering, login: { expires?: string; date?: string } = {}) {
  const asked: string[] = [];
  let tokens = 0;
  const server = createServer((request, response) => {
    request.resume();
    asked.push(`${request.method} ${request.url} ${request.headers['x-auth-token'] ?? ''}`.trim());
    if (login.date !== undefined) response.setHeader('date', login.date);
    if (request.url !== '/v3/auth/tokens') return compute(request, response);
    const catalog = [{ type: 'compute', endpoints: [{ interface: 'public', url: `${base()}/compute` }] }];
    response.writeHead(201, { 'x-subject-token': `t${++tokens}` });
    response.end(JSON.stringify({ token: { expires_at: login.expires ?? '2999-01-01T00:00:00Z', catalog } }));
  });
  const base = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const access: CloudAccess = {
    name: 'rack',
    authUrl: base(),
    login: { kind: 'password', user: { id: 'u' }, password: 'p', project: { id: 'p' } },
    interface: 'public',
    overrides: new Map(),
    tls: { verify: true },
  };
  return { asked, access };
}

const sendJson = (status: number, body: unknown): Answering => {
  return (_, response) => response.writeHead(status).end(JSON.stringify(body));
};

test('calls that come together log in once; a token that is refused is fetched anew', async (t) => {
  const { asked, access } = await cloud(t, (request, response) => {
    const isRevoked = request.headers['x-auth-token'] === 't1' && request.url === '/compute/late';
    response.writeHead(isRevoked ? 401 : 200).end('{}');
  });
  const session = openSession(access);
  await Promise.all([session.call('compute', '/a'), session.call('compute', '/b'), session.call('compute', '/c')]);
  assert.deepEqual(asked.sort(), [
    'GET /compute/a t1',
    'GET /compute/b t1',
    'GET /compute/c t1',
    'POST /v3/auth/tokens',
  ]);
  asked.length = 0;
  assert.deepEqual(await session.call('compute', '/late'), {});
  assert.deepEqual(asked, ['GET /compute/late t1', 'POST /v3/auth/tokens', 'GET /compute/late t2']);
});

test("a token lasts by the cloud's clock, and not by this machine's", async (t) => {
  const behind = { date: 'Wed, 01 Jan 2020 10:00:00 GMT', expires: '2020-01-01T11:00:00Z' };
  const { asked, access } = await cloud(t, sendJson(200, {}), behind);
  const session = openSession(access);
  for (let i = 0; i < 3; i++) await session.call('compute', '/a');
  assert.equal(asked.filter((one) => one.startsWith('POST')).length, 1);
});

test('a refusal of the cloud is reported in its words; a proxy without a service behind it is no refusal', async (t) => {
  const answers = [
    sendJson(409, { conflictingRequest: { message: 'it is\nmigrating' } }),
    sendJson(503, { message: 'no server is available' }),
    sendJson(200, 'not { JSON'),
    ((_, response) => response.writeHead(200).end('<html>')) satisfies Answering,
    ((request) => request.socket.destroy()) satisfies Answering,
  ];
  const { access } = await cloud(t, (request, response) =>
    answers[Number(request.url?.slice(-1))]?.(request, response),
  );
  const { call } = openSession(access);
  await assert.rejects(call('compute', '/0'), {
    code: 'CLOUD_REFUSED',
    message: 'GET compute /0: it is migrating (HTTP 409)',
  });
  await assert.rejects(call('compute', '/1'), { code: 'CLOUD_UNREACHABLE', message: /\(HTTP 503\)$/ });
  assert.equal(await call('compute', '/2'), 'not { JSON');
  await assert.rejects(call('compute', '/3'), { code: 'CLOUD_REFUSED', message: /does not answer in JSON: <html>/ });
  await assert.rejects(call('compute', '/4'), { code: 'CLOUD_UNREACHABLE', message: /does not answer: / });
});

test('what cannot be reached is named, with any clouds.yaml', async (t) => {
  const { access } = await cloud(t, sendJson(200, {}));
  for (const [change, code, message] of [
    [
      { overrides: new Map([['compute', 'compute:8774']]) },
      'CLOUD_UNREACHABLE',
      /"compute:8774\/a" is not the address/,
    ],
    [{ tls: { verify: true, caFile: '/nonexistent/ca.pem' } }, 'CLOUD_INVALID', /the cacert .* cannot be read: ENOENT/],
    [{ authUrl: 'http://127.0.0.1:1' }, 'CLOUD_UNREACHABLE', /127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/],
    [{ interface: 'admin' }, 'CLOUD_REFUSED', /has no admin compute endpoint/],
  ] as const) {
    await assert.rejects(openSession({ ...access, ...change }).call('compute', '/a'), { code, message });
  }
});
