import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ReveilleError } from '../errors.ts';
import type { CloudAccess, Named } from './clouds.ts';

/** Types of services as the catalogue has them. */
export type ServiceType = 'identity' | 'compute' | 'network' | 'placement' | 'image';

export type Call = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `compute 2.53`: the microversion to ask for. */
  readonly microversion?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as they are, instead of `body`. */
  readonly bytes?: Uint8Array;
};

/** A conversation with a cloud. Its token is fetched at first need and again when it has run out. */
export type CloudSession = {
  /**
   * Calls a service; gives the answer's JSON, `undefined` if it has none. Throws CLOUD_REFUSED where the cloud says no (its
   * own words in the message), CLOUD_UNREACHABLE where nobody answers.
   */
  call(service: ServiceType, path: string, call?: Call): Promise<unknown>;
  /** How much the cloud's clock is ahead of this machine's by its last answer (behind: negative), in milliseconds. */
  clockAheadMs(): number;
};

const ANSWER_MS = 30_000;
const CLOCK_RIGHT_MS = 5000;
const LONGEST_ANSWER = 64 * 1024 * 1024;
/** A token is renewed this long before it ends. */
const EARLY_MS = 60_000;

type Token = { readonly value: string; readonly ends: number; readonly catalog: ReadonlyMap<string, string> };
type Answer = { readonly status: number; readonly headers: NodeJS.Dict<string | string[]>; readonly text: string };

/** Opens a session. Nothing is sent before the first call. */
export function openSession(access: CloudAccess, now: () => number = Date.now): CloudSession {
  let token: Promise<Token> | undefined;
  const ca = access.tls.caFile === undefined ? undefined : readFile(access.tls.caFile);
  ca?.catch(() => {});
  let clockAheadMs = 0;
  const send: Send = async (method, url, headers, body) => {
    const answer = await ask(method, url, headers, body, { ...access.tls, ca: await ca });
    clockAheadMs = aheadMs(answer, now()) ?? clockAheadMs;
    return answer;
  };

  const currentToken = async (): Promise<Token> => {
    const held = await token?.catch(() => undefined);
    if (held && held.ends - EARLY_MS > now()) return held;
    token = login(access, send);
    return token;
  };

  const attempt = async (service: ServiceType, path: string, call: Call): Promise<Answer> => {
    const { value, catalog } = await currentToken();
    const base = access.overrides.get(service) ?? catalog.get(service);
    if (base === undefined) {
      throw new ReveilleError(
        'CLOUD_REFUSED',
        `the catalogue of ${access.name} has no ${access.interface} ${service} endpoint`,
        {
          hint: access.region === undefined ? 'name the region with region_name' : `region_name is ${access.region}`,
        },
      );
    }
    const { method = 'GET', microversion, body, bytes } = call;
    return send(
      method,
      `${base}${path}`,
      { 'X-Auth-Token': value, ...versionHeaders(service, microversion) },
      bytes ?? body,
    );
  };

  return {
    clockAheadMs: () => clockAheadMs,
    async call(service, path, call = {}) {
      let answer = await attempt(service, path, call);
      if (answer.status === 401) {
        // Revoked before its time, by a new password or a restarted Keystone.
        token = undefined;
        answer = await attempt(service, path, call);
      }
      if (answer.status >= 400) throw refusal(`${call.method ?? 'GET'} ${service} ${path}`, answer);
      return answer.text === '' ? undefined : json(answer.text, service);
    },
  };
}

/** An answer bears its time in whole seconds; a difference that this or a slow answer may make is none. */
function aheadMs({ headers }: Answer, now: number): number | undefined {
  const ahead = Date.parse(String(headers.date)) - now;
  if (Number.isNaN(ahead)) return undefined;
  return Math.abs(ahead) > CLOCK_RIGHT_MS ? ahead : 0;
}

function versionHeaders(service: ServiceType, microversion: string | undefined): Record<string, string> {
  if (microversion === undefined) return {};
  return { 'OpenStack-API-Version': `${service} ${microversion}` };
}

async function login(access: CloudAccess, send: Send): Promise<Token> {
  const answer = await send('POST', `${access.authUrl}/v3/auth/tokens`, {}, { auth: authBody(access) });
  if (answer.status !== 201) throw refusal(`logging in to ${access.name}`, answer);
  const value = answer.headers['x-subject-token'];
  const { token } = json(answer.text, 'identity') as { readonly token?: TokenBody };
  if (typeof value !== 'string' || !token) {
    throw new ReveilleError('CLOUD_REFUSED', `${access.authUrl} does not answer like Keystone`);
  }
  return { value, ends: Date.parse(token.expires_at), catalog: catalogOf(token, access) };
}

type TokenBody = {
  readonly expires_at: string;
  readonly catalog?: readonly {
    readonly type: string;
    readonly endpoints: readonly { readonly interface: string; readonly region?: string; readonly url: string }[];
  }[];
};

function catalogOf(token: TokenBody, access: CloudAccess): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { type, endpoints } of token.catalog ?? []) {
    const fitting = endpoints.find(
      (one) => one.interface === access.interface && (access.region === undefined || one.region === access.region),
    );
    if (fitting) found.set(type, fitting.url.replace(/\/+$/, '').replace(type === 'network' ? /\/v2\.0$/ : /$^/, ''));
  }
  return found;
}

function authBody({ login }: CloudAccess): object {
  if (login.kind === 'applicationCredential') {
    return {
      identity: {
        methods: ['application_credential'],
        application_credential: { id: login.id, secret: login.secret },
      },
    };
  }
  return {
    identity: {
      methods: ['password'],
      password: { user: { ...reference(login.user), password: login.password } },
    },
    scope: { project: reference(login.project) },
  };
}

function reference(named: Named): object {
  return 'id' in named ? { id: named.id } : { name: named.name, domain: { name: named.domain } };
}

/** Says no in the cloud's own words: services wrap them in an object of one key (`{"itemNotFound": {"message": ...}}`). */
function refusal(doing: string, { status, text }: Answer): ReveilleError {
  let words = text.slice(0, 300);
  try {
    const body: unknown = JSON.parse(text);
    const errors = (body as { errors?: { detail?: string }[] }).errors;
    const inner = Object.values(body as Record<string, { message?: string }>)[0];
    words = errors?.[0]?.detail ?? inner?.message ?? words;
  } catch {
    // The words are not JSON: they are told as they are.
  }
  return new ReveilleError('CLOUD_REFUSED', `${doing}: ${words.replace(/\s+/g, ' ').trim()} (HTTP ${status})`);
}

function json(text: string, service: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ReveilleError('CLOUD_REFUSED', `the ${service} service does not answer in JSON: ${text.slice(0, 80)}`, {
      cause,
    });
  }
}

type Send = (method: string, url: string, headers: Record<string, string>, body?: unknown) => Promise<Answer>;
type Tls = { readonly verify: boolean; readonly ca: Buffer | undefined };

/** One request with a bounded answer and a bounded wait. */
function ask(method: string, url: string, headers: Record<string, string>, body: unknown, tls: Tls): Promise<Answer> {
  const isBytes = body instanceof Uint8Array;
  const sending = isBytes ? body : body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const options = {
    method,
    signal: AbortSignal.timeout(ANSWER_MS),
    headers: {
      Accept: 'application/json',
      ...headers,
      ...(sending === undefined
        ? {}
        : {
            'Content-Type': isBytes ? 'application/octet-stream' : 'application/json',
            'Content-Length': sending.byteLength,
          }),
    },
  };
  return new Promise((resolve, reject) => {
    const unreachable = (cause: Error) =>
      reject(
        new ReveilleError('CLOUD_UNREACHABLE', `${new URL(url).origin} does not answer: ${reason(cause)}`, { cause }),
      );
    const sent = url.startsWith('https:')
      ? httpsRequest(url, {
          ...options,
          rejectUnauthorized: tls.verify,
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        })
      : httpRequest(url, options);
    sent.on('error', unreachable);
    sent.on('response', (response) => {
      const pieces: Buffer[] = [];
      let length = 0;
      response.on('error', unreachable);
      response.on('data', (piece: Buffer) => {
        length += piece.length;
        if (length > LONGEST_ANSWER) response.destroy(new Error('its answer is too long'));
        else pieces.push(piece);
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(pieces).toString(),
        }),
      );
    });
    sent.end(sending);
  });
}

function reason(cause: Error): string {
  return cause.name === 'TimeoutError' || cause.name === 'AbortError'
    ? `no answer within ${ANSWER_MS / 1000} s`
    : cause.message;
}
