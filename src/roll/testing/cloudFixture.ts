import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openSession } from '../../cloud/session.ts';

export type FakeServer = { id: string; host: string; status: string; task?: string };
export type FakeService = { host: string; enabled: boolean; reason: string | null; updatedAt: number };

/**
 * A cloud that speaks HTTP as Keystone, Nova, Neutron and Placement do, as far as a roll asks them. Instances arrive where
 * they are moved to by the time they are asked for again. `refuse` may refuse a call, as `[status, words]`.
 */
export async function fakeCloud(services: FakeService[], servers: FakeServer[]) {
  const calls: string[] = [];
  const migrations: { hosts: string[]; status: string }[] = [];
  const cloud = {
    down: false,
    migrations,
    refuse: (_call: string): readonly [number, string] | undefined => undefined,
  };
  const other = (host: string) => services.find((one) => one.host !== host && one.enabled)?.host;
  const inNova = ({ id, host, status, task }: FakeServer) => ({
    id,
    name: id,
    status,
    'OS-EXT-STS:task_state': task ?? null,
    'OS-EXT-SRV-ATTR:host': host,
  });
  const base = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const answer = async (request: IncomingMessage): Promise<readonly [number, unknown]> => {
    const url = new URL(request.url ?? '/', base());
    let text = '';
    for await (const piece of request) text += piece;
    const body = text === '' ? {} : JSON.parse(text);
    const path = url.pathname;
    if (path === '/v3/auth/tokens') {
      const endpoint = (type: string) => ({ type, endpoints: [{ interface: 'public', url: `${base()}/${type}` }] });
      const catalog = ['compute', 'network', 'placement'].map(endpoint);
      return [201, { token: { expires_at: '2999-01-01T00:00:00Z', catalog } }];
    }
    if (request.method !== 'GET') {
      const call = `${request.method} ${path.replace('/compute', '')} ${JSON.stringify(body)}`;
      calls.push(call);
      const no = cloud.refuse(call);
      if (no) return [no[0], { conflictingRequest: { message: no[1] } }];
    }
    const service = services.find(({ host }) => path === `/compute/os-services/${host}`);
    if (service) {
      Object.assign(service, { enabled: body.status === 'enabled', reason: body.disabled_reason ?? null });
      return [200, { service: {} }];
    }
    const server = servers.find(({ id }) => path.startsWith(`/compute/servers/${id}`));
    if (server && path.endsWith('/action')) {
      const target = other(server.host);
      if ('os-migrateLive' in body && target) server.host = target;
      if ('migrate' in body && target) Object.assign(server, { host: target, status: 'VERIFY_RESIZE' });
      if ('confirmResize' in body) server.status = 'SHUTOFF';
      return [202, undefined];
    }
    if (server) return [200, { server: inNova(server) }];
    switch (path) {
      case '/compute/os-services':
        return [
          200,
          {
            services: services.map(({ host, enabled, reason, updatedAt }) => ({
              id: host,
              binary: 'nova-compute',
              host,
              state: 'up',
              status: enabled ? 'enabled' : 'disabled',
              disabled_reason: reason,
              updated_at: new Date(updatedAt).toISOString().replace('Z', ''),
            })),
          },
        ];
      case '/compute/os-hypervisors/detail':
        return [
          200,
          {
            hypervisors: services.map(({ host }) => ({
              id: host,
              hypervisor_hostname: host,
              state: 'up',
              service: { host },
            })),
          },
        ];
      case '/network/v2.0/agents':
        return [200, { agents: [] }];
      case '/placement/resource_providers':
        return [200, { resource_providers: services.map(({ host }) => ({ uuid: host, name: host })) }];
      case '/compute/servers/detail':
        return [200, { servers: servers.filter(({ host }) => host === url.searchParams.get('host')).map(inNova) }];
      case '/compute/os-migrations':
        return [
          200,
          { migrations: cloud.migrations.filter(({ hosts }) => hosts.includes(url.searchParams.get('host') ?? '')) },
        ];
      default:
        return [404, { itemNotFound: { message: `no ${path}` } }];
    }
  };

  const server = createServer((request, response) => {
    if (cloud.down) return void request.socket.destroy();
    void answer(request).then(([status, body]) => {
      response.writeHead(status, { 'x-subject-token': 'token', 'content-type': 'application/json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = openSession({
    name: 'fake',
    authUrl: base(),
    login: {
      kind: 'password',
      user: { id: 'admin' },
      password: 'x',
      project: { id: 'admin' },
    },
    interface: 'public',
    overrides: new Map(),
    tls: { verify: true },
  });
  return Object.assign(cloud, { calls, session, close: () => server.close() });
}
