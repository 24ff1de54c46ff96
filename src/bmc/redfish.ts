import { isIPv6 } from 'node:net';
import { ReveilleError } from '../errors.ts';
import type { Bmc } from '../model/node.ts';
import { type HttpAnswer, httpAsk } from '../net/httpAsk.ts';
import { readRegular } from '../regularFile.ts';
import type { BmcSession } from './session.ts';

type RedfishBmc = Bmc & { readonly kind: 'redfish' };

/** The root path of every service (DSP0266). */
const ROOT = '/redfish/v1/';
const ANSWER_MS = 20_000;
const LONGEST_ANSWER = 4 * 1024 * 1024;
const LONGEST_CA = 1_000_000;

/** Values of ResetType, the best first; a system has some of them (DSP2046, ComputerSystem). */
const RESET_TYPES = {
  on: ['On', 'ForceOn'],
  off: ['ForceOff'],
  cycle: ['PowerCycle', 'ForceRestart'],
} as const;

/** A BMC that speaks Redfish. Nothing is sent before the first call. Throws BMC_UNSUPPORTED if the system is ambiguous. */
export function openRedfish(bmc: RedfishBmc, password: string): BmcSession {
  const origin = `https://${isIPv6(bmc.address) ? `[${bmc.address}]` : bmc.address}:${bmc.port}`;
  const login = `Basic ${Buffer.from(`${bmc.user}:${password}`).toString('base64')}`;
  const name = `the BMC ${bmc.address}`;
  let path: string | undefined;

  const ask = async (method: string, to: string, body?: object, etag?: string): Promise<HttpAnswer> => {
    // A path from a BMC must not send the password to another host.
    if (!/^\/(?!\/)/.test(to) || new URL(to, origin).origin !== new URL(origin).origin) {
      throw new ReveilleError('BMC_REFUSED', `${name} sends us elsewhere: ${to.slice(0, 80)}`);
    }
    const headers = {
      Authorization: login,
      'OData-Version': '4.0',
      ...(etag === undefined ? {} : { 'If-Match': etag }),
    };
    const ca = await certificates(bmc);
    const tls = { rejectUnauthorized: bmc.verify, ...(ca === undefined ? {} : { ca }) };
    const question = { method, url: `${origin}${to}`, headers, body, tls, waitMs: ANSWER_MS, longest: LONGEST_ANSWER };
    const answer = await httpAsk(question).catch((cause: Error) => {
      throw unreachable(name, cause);
    });
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw refusal(name, bmc.user, `${method} ${to}`, answer);
  };
  const get = async (from: string): Promise<{ readonly body: Resource; readonly etag?: string }> => {
    const { text, headers } = await ask('GET', from);
    const body = resource(text, name);
    const etag = headers.etag ?? body['@odata.etag'];
    return { body, ...(typeof etag === 'string' ? { etag } : {}) };
  };

  const pathOfSystem = async (): Promise<string> => {
    const { Systems } = (await get(ROOT)).body;
    const collection = linkOf(Systems);
    if (collection === undefined) throw unable(name, 'has no systems');
    const { Members } = (await get(collection)).body;
    const paths = (Array.isArray(Members) ? Members : []).map(linkOf).filter((one) => one !== undefined);
    const ids = paths.map((one) => one.replace(/\/+$/, '').split('/').at(-1) ?? '');
    const found = bmc.system === undefined && paths.length === 1 ? paths[0] : paths[ids.indexOf(bmc.system ?? '')];
    if (found !== undefined) return found;
    const words = bmc.system === undefined ? `has ${paths.length} systems` : `has no system ${bmc.system}`;
    throw unable(name, words, ids.length === 0 ? undefined : `set bmc.system to one of ${ids.slice(0, 16).join(', ')}`);
  };
  const system = async () => {
    path ??= await pathOfSystem();
    return { path, ...(await get(path)) };
  };

  return {
    async power() {
      const { PowerState } = (await system()).body;
      // A transition (PoweringOn, PoweringOff) counts as the state before it.
      if (PowerState === 'On' || PowerState === 'PoweringOff' || PowerState === 'Paused') return 'on';
      if (PowerState === 'Off' || PowerState === 'PoweringOn') return 'off';
      throw unable(name, `does not say whether the machine is on: PowerState is ${JSON.stringify(PowerState)}`);
    },
    async change(to) {
      const action = keyOf(keyOf((await system()).body, 'Actions'), '#ComputerSystem.Reset');
      const target = keyOf(action, 'target');
      if (typeof target !== 'string') throw unable(name, 'has no ComputerSystem.Reset');
      const allowed = await allowedResets(action, async (from) => (await get(from)).body);
      const type = RESET_TYPES[to].find((one) => allowed === undefined || allowed.includes(one));
      if (type === undefined) throw unable(name, `knows none of ${RESET_TYPES[to].join(', ')}: ${allowed?.join(', ')}`);
      await ask('POST', target, { ResetType: type });
    },
    async bootFromNetworkOnce() {
      const { path: own, body, etag } = await system();
      // Some services keep the settings of the next start in a resource of its own (DSP0266, settings resources).
      const settings = linkOf(keyOf(keyOf(body, '@Redfish.Settings'), 'SettingsObject'));
      const at = settings === undefined ? { to: own, etag } : { to: settings, etag: (await get(settings)).etag };
      const mode =
        bmc.bootMode === undefined ? {} : { BootSourceOverrideMode: bmc.bootMode === 'uefi' ? 'UEFI' : 'Legacy' };
      const boot = { BootSourceOverrideEnabled: 'Once', BootSourceOverrideTarget: 'Pxe', ...mode };
      await ask('PATCH', at.to, { Boot: boot }, at.etag);
    },
  };
}

/** The allowed values of ResetType: beside the action, or in the resource that describes it; absent if the service lists none. */
async function allowedResets(
  action: unknown,
  get: (path: string) => Promise<Resource>,
): Promise<readonly string[] | undefined> {
  const beside = keyOf(action, 'ResetType@Redfish.AllowableValues');
  if (Array.isArray(beside)) return beside.map(String);
  const info = keyOf(action, '@Redfish.ActionInfo');
  if (typeof info !== 'string') return undefined;
  const { Parameters } = await get(info);
  const found = (Array.isArray(Parameters) ? Parameters : []).find((one) => keyOf(one, 'Name') === 'ResetType');
  const values = keyOf(found, 'AllowableValues');
  return Array.isArray(values) ? values.map(String) : undefined;
}

type Resource = { readonly [key: string]: unknown };

function resource(text: string, name: string): Resource {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Resource;
  } catch {
    // Reported below.
  }
  throw unable(name, `does not answer like Redfish: ${text.slice(0, 80)}`);
}

function keyOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Resource)[key]
    : undefined;
}

function linkOf(value: unknown): string | undefined {
  const link = keyOf(value, '@odata.id');
  return typeof link === 'string' ? link : undefined;
}

async function certificates({ ca }: RedfishBmc): Promise<Buffer | undefined> {
  if (ca === undefined) return undefined;
  return readRegular(ca, LONGEST_CA).catch((cause: Error) => {
    throw new ReveilleError('FILE_MISSING', `the certificates of bmc.ca cannot be read: ${cause.message}`, { cause });
  });
}

function unable(name: string, words: string, hint?: string): ReveilleError {
  return new ReveilleError('BMC_UNSUPPORTED', `${name} ${words}`, hint === undefined ? {} : { hint });
}

function unreachable(name: string, cause: Error & { readonly code?: string }): ReveilleError {
  const isCertificate = /CERT|SIGNATURE|ISSUER|ALTNAME/.test(cause.code ?? '');
  const hint = isCertificate
    ? 'name the certificates to trust with bmc.ca, or do without with bmc.verify: false'
    : 'is it in reach of this machine, and Redfish switched on?';
  return new ReveilleError('BMC_UNREACHABLE', `${name} does not answer: ${cause.message}`, { hint, cause });
}

/** A refusal with the BMC's own words (DSP0266, extended error). */
function refusal(name: string, user: string, doing: string, { status, text }: HttpAnswer): ReveilleError {
  if (status === 401) {
    return new ReveilleError('BMC_LOGIN_REFUSED', `${name} does not let ${user} in (HTTP 401)`, {
      hint: 'see bmc.user and bmc.password in the site',
    });
  }
  const words = `${wordsOf(text)} (HTTP ${status})`;
  if (status === 403) {
    return new ReveilleError('BMC_LOGIN_REFUSED', `${name} does not let ${user} do this: ${words}`);
  }
  const isUnable = [400, 404, 405, 501].includes(status);
  return new ReveilleError(isUnable ? 'BMC_UNSUPPORTED' : 'BMC_REFUSED', `${name}: ${doing}: ${words}`);
}

function wordsOf(text: string): string {
  let words = text;
  try {
    const error = keyOf(JSON.parse(text), 'error');
    const more = keyOf(error, '@Message.ExtendedInfo');
    const message = keyOf(Array.isArray(more) ? more[0] : undefined, 'Message') ?? keyOf(error, 'message');
    if (typeof message === 'string') words = message;
  } catch {
    // The body is not JSON: it is quoted as it is.
  }
  return words.slice(0, 300).replace(/\s+/g, ' ').trim();
}
