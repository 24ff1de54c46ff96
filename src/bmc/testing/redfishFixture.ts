import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** A machine of the service: how its resource differs from the plain one. */
export type FakeSystem = { readonly id: string; power: string; readonly more?: object; readonly reset?: object };

const TYPES = ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart', 'PowerCycle', 'Nmi', 'ForceOn'];

/**
 * A Redfish service with certificates of its own, of the shape of DMTF's mock-up `public-rackmount1` as far as power and boot go:
 * a root that needs no login, systems that need one, required ETags, extended errors. `changes` records the requests that are not
 * reads.
 */
export async function fakeRedfish(folder: string, systems: FakeSystem[], login = 'root:geheim') {
  const certificate = join(folder, 'bmc.pem');
  const key = join(folder, 'bmc.key');
  const names = ['-subj', '/CN=bmc', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', ...names, ...made], { stdio: 'ignore' });

  const changes: string[] = [];
  const service = {
    changes,
    certificate,
    /** Answers in place of the service. */
    instead: (_call: string): readonly [number, unknown] | undefined => undefined,
  };
  const expected = `Basic ${Buffer.from(login).toString('base64')}`;

  const answer = async (request: IncomingMessage): Promise<readonly [number, unknown]> => {
    const path = (request.url ?? '').replace(/\/$/, '');
    let text = '';
    for await (const piece of request) text += piece;
    if (path === '/redfish/v1') return [200, ROOT];
    if (request.headers.authorization !== expected) return [401, failure('The request has no valid login.')];
    const body = text === '' ? '' : ` ${JSON.stringify(JSON.parse(text))}`;
    const call = `${request.method} ${path}${body}`;
    if (request.method !== 'GET') changes.push(call);
    const instead = service.instead(call);
    if (instead) return instead;
    if (path === ROOT.Systems['@odata.id']) return [200, collection(systems)];
    const system = systems.find(({ id }) => path.startsWith(`${ROOT.Systems['@odata.id']}/${id}`));
    if (!system) return [404, failure(`The resource at the URI ${path} was not found.`)];
    const rest = path.slice(`${ROOT.Systems['@odata.id']}/${system.id}`.length);
    if (request.method === 'GET' && rest === '') return [200, resource(system)];
    if (request.method === 'PATCH' && rest === '') {
      return request.headers['if-match'] === ETAG ? [200, resource(system)] : [428, failure('No If-Match was given.')];
    }
    if (request.method === 'POST' && rest === '/Actions/ComputerSystem.Reset') {
      const { ResetType } = JSON.parse(text) as { ResetType: string };
      if (!TYPES.includes(ResetType)) return [400, failure(`The value ${ResetType} is not in the list of values.`)];
      system.power = ResetType === 'ForceOff' ? 'Off' : 'On';
      return [204, undefined];
    }
    return [405, failure(`${request.method} is not allowed here.`)];
  };

  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
    void answer(request).then(([status, body]) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'OData-Version': '4.0',
        ...(status === 200 ? { ETag: ETAG } : {}),
      });
      response.end(body === undefined ? '' : JSON.stringify(body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return Object.assign(service, { port, close: () => server.close() });
}

const ETAG = 'W/"437"';

const ROOT = {
  '@odata.type': '#ServiceRoot.v1_15_0.ServiceRoot',
  '@odata.id': '/redfish/v1/',
  Id: 'RootService',
  Name: 'Root Service',
  RedfishVersion: '1.15.0',
  Systems: { '@odata.id': '/redfish/v1/Systems' },
  Links: { Sessions: { '@odata.id': '/redfish/v1/SessionService/Sessions' } },
} as const;

function collection(systems: readonly FakeSystem[]) {
  return {
    '@odata.type': '#ComputerSystemCollection.ComputerSystemCollection',
    '@odata.id': '/redfish/v1/Systems',
    Name: 'Computer System Collection',
    'Members@odata.count': systems.length,
    Members: systems.map(({ id }) => ({ '@odata.id': `/redfish/v1/Systems/${id}` })),
  };
}

function resource({ id, power, more, reset }: FakeSystem) {
  return {
    '@odata.type': '#ComputerSystem.v1_20_0.ComputerSystem',
    '@odata.id': `/redfish/v1/Systems/${id}`,
    Id: id,
    Name: 'WebFrontEnd483',
    SystemType: 'Physical',
    PowerState: power,
    Boot: {
      BootSourceOverrideEnabled: 'Disabled',
      BootSourceOverrideMode: 'UEFI',
      BootSourceOverrideTarget: 'None',
      'BootSourceOverrideTarget@Redfish.AllowableValues': ['None', 'Pxe', 'Usb', 'Hdd', 'BiosSetup', 'UefiHttp'],
    },
    Actions: {
      '#ComputerSystem.Reset': {
        target: `/redfish/v1/Systems/${id}/Actions/ComputerSystem.Reset`,
        ...(reset ?? { 'ResetType@Redfish.AllowableValues': TYPES }),
      },
    },
    ...more,
  };
}

function failure(message: string) {
  const info = { '@odata.type': '#Message.v1_1_2.Message', MessageId: 'Base.1.8.GeneralError', Message: message };
  return { error: { code: 'Base.1.8.GeneralError', message: 'See ExtendedInfo.', '@Message.ExtendedInfo': [info] } };
}
