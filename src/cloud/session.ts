import { ReveilleError, wordsOf } from '../errors.ts';
import type { HttpAnswer } from '../net/httpAsk.ts';
import { readRegular } from '../regularFile.ts';
import type { CloudAccess, Named } from './clouds.ts';
import { ask } from './request.ts';

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
   * Calls a service; gives the answer's JSON, `undefined` if it has none. Throws CLOUD_REFUSED where the cloud refuses (its
   * own words in the message), CLOUD_UNREACHABLE where the cloud does not answer.
   */
  call(service: ServiceType, path: string, call?: Call): Promise<unknown>;
  /** How much the cloud's clock is ahead of this machine's by its last answer (behind: negative), in milliseconds. */
  clockAheadMs(): number;
};

const CLOCK_RIGHT_MS = 5000;
/** A proxy in front of the service reports that no service is behind it, or that it gave up waiting. */
const NOBODY_ANSWERED: ReadonlySet<number> = new Set([502, 503, 504]);
/** A token is renewed this long before it ends. */
const EARLY_MS = 60_000;

type Token = { readonly value: string; readonly ends: number; readonly catalog: ReadonlyMap<string, string> };
type Send = (method: string, url: string, headers: Record<string, string>, body?: unknown) => Promise<HttpAnswer>;

/** Opens a session. Nothing is sent before the first call. */
export function openSession(access: CloudAccess, now: () => number = Date.now): CloudSession {
  let token: Promise<Token> | undefined;
  let refused: Token | undefined;
  const ca = access.tls.caFile === undefined ? undefined : readCertificates(access.tls.caFile);
  ca?.catch(() => {});
  let clockAheadMs = 0;
  const send: Send = async (method, url, headers, body) => {
    const tls = { rejectUnauthorized: access.tls.verify, ...(ca === undefined ? {} : { ca: await ca }) };
    const answer = await ask(method, url, headers, body, tls);
    clockAheadMs = aheadMs(answer, now()) ?? clockAheadMs;
    if (NOBODY_ANSWERED.has(answer.status)) {
      throw new ReveilleError('CLOUD_UNREACHABLE', refusal(`${method} ${url}`, answer).message);
    }
    return answer;
  };

  const isGood = (one: Token) => one !== refused && one.ends - EARLY_MS > now() + clockAheadMs;
  /** Calls that come together share one login: an account may be locked for too many that fail. */
  const currentToken = async (): Promise<Token> => {
    const held = token;
    if (held && (await held.then(isGood, () => false))) return held;
    if (token === held) token = login(access, send);
    return token as Promise<Token>;
  };

  const attempt = async (
    { value, catalog }: Token,
    service: ServiceType,
    path: string,
    call: Call,
  ): Promise<HttpAnswer> => {
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
      const held = await currentToken();
      let answer = await attempt(held, service, path, call);
      if (answer.status === 401) {
        // Revoked before its time, by a new password or a restarted Keystone.
        refused = held;
        answer = await attempt(await currentToken(), service, path, call);
      }
      if (answer.status >= 400) throw refusal(`${call.method ?? 'GET'} ${service} ${path}`, answer);
      return answer.text === '' ? undefined : json(answer.text, service);
    },
  };
}

/** An answer bears its time in whole seconds; a difference that this or a slow answer may make is none. */
function aheadMs({ headers }: HttpAnswer, now: number): number | undefined {
  const ahead = Date.parse(String(headers.date)) - now;
  if (Number.isNaN(ahead)) return undefined;
  return Math.abs(ahead) > CLOCK_RIGHT_MS ? ahead : 0;
}

async function readCertificates(file: string): Promise<Buffer> {
  try {
    return await readRegular(file, 1_000_000);
  } catch (cause) {
    throw new ReveilleError('CLOUD_INVALID', `the cacert of clouds.yaml cannot be read: ${wordsOf(cause)}`, { cause });
  }
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
  return 'id' in named ? { id: named.id } : { name: named.name, domain: named.domain };
}

/** The cloud refuses, with a status of HTTP. */
export class CloudRefusal extends ReveilleError {
  readonly status: number;

  constructor(message: string, status: number) {
    super('CLOUD_REFUSED', message);
    this.status = status;
  }
}

/** The refusal in the cloud's own words: services wrap them in an object of one key (`{"itemNotFound": {"message": ...}}`). */
function refusal(doing: string, { status, text }: HttpAnswer): CloudRefusal {
  let words = text.slice(0, 300);
  try {
    const body: unknown = JSON.parse(text);
    const errors = (body as { errors?: { detail?: string }[] }).errors;
    const inner = Object.values(body as Record<string, { message?: string }>)[0];
    words = errors?.[0]?.detail ?? inner?.message ?? words;
  } catch {
    // The words are not JSON: they are taken as they are.
  }
  return new CloudRefusal(`${doing}: ${words.replace(/\s+/g, ' ').trim()} (HTTP ${status})`, status);
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
