import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { ApiTokens } from '../access/apiTokens.ts';
import { fingerprintOf, ownCertificate, type ServerNames } from '../access/ownCertificate.ts';
import { ReveilleError, wordsOf } from '../errors.ts';
import { guarded } from '../faults.ts';
import { type ApiCredentials, ApiServer } from '../http/apiServer.ts';
import { Gate } from '../http/gate.ts';
import { addOperatorRoutes, type OperatorsFrom } from '../http/operators.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import type { ServerAddresses } from '../serverAddresses.ts';
import type { Running, Service } from '../service.ts';
import type { ApiSettings } from '../site/site.ts';
import type { Core } from './core.ts';

/** How often certificates are looked at: files may have been renewed, and the server's own ends. */
const LOOK_MS = 60_000;

export type ApiService = Running & Pick<ApiServer, 'serving'>;

/** The operators' API over TCP, where the site has one. */
export async function startApi(
  { stateFolder, supervisor, bus, trouble, site, opened }: Core,
  tokens: ApiTokens,
  addresses: ServerAddresses,
  from: OperatorsFrom,
): Promise<Service<ApiService>> {
  const api = await supervisor.run('api', async (faulted): Promise<ApiService> => {
    const gate = new Gate({ tokens, emit: (happening) => bus.emit(happening), faulted });
    const server = await ApiServer.start({
      place: () => site().api,
      credentials: () => credentialsOf(site().api?.tls ?? 'off', join(stateFolder, 'api'), namesOf(addresses)),
      routes: (app) => addOperatorRoutes(app, { ...from, faulted }, gate),
      serving: (port, fingerprint) =>
        bus.emit({ kind: 'server.api', port, ...(fingerprint === undefined ? {} : { fingerprint }) }),
      faulted,
    });
    const timer = setInterval(
      guarded(faulted, () => void server.reload().catch(trouble)),
      LOOK_MS,
    ).unref();
    return {
      get serving() {
        return server.serving;
      },
      reload: () => server.reload(),
      gauges: () => ({ ...server.gauges(), ...gate.gauges() }),
      async close() {
        clearInterval(timer);
        gate[Symbol.dispose]();
        await server.close();
      },
    };
  });
  opened.defer(() => api.close());
  return api;
}

function namesOf({ serverAddresses }: ServerAddresses): ServerNames {
  const name = hostname();
  const dns = [...new Set([name, 'localhost'])].filter((one) => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(one));
  return { dns, ips: [...new Set(['127.0.0.1', ...serverAddresses().map(formatIpv4)])] };
}

/** What the API proves itself with. Throws CERTIFICATE_INVALID, or as `ownCertificate` does. */
async function credentialsOf(
  tls: ApiSettings['tls'],
  folder: string,
  names: ServerNames,
): Promise<ApiCredentials | undefined> {
  if (tls === 'off') return undefined;
  const signed = tls === 'auto' ? await ownCertificate(folder, names, Date.now()) : await readFiles(tls);
  return { ...signed, fingerprint: fingerprintOf(signed.certificate) };
}

async function readFiles(tls: Exclude<ApiSettings['tls'], string>) {
  try {
    const [certificate, key] = await Promise.all([readFile(tls.certificate, 'utf8'), readFile(tls.key, 'utf8')]);
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
      throw new Error('the key is not that of the certificate');
    return { certificate, key };
  } catch (cause) {
    throw new ReveilleError(
      'CERTIFICATE_INVALID',
      `the API cannot be served with ${tls.certificate} and ${tls.key}: ${wordsOf(cause)}`,
      { hint: 'api.tls names a certificate and its key, both PEM', cause },
    );
  }
}
