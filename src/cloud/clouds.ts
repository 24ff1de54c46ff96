import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ReveilleError } from '../errors.ts';
import { readRegular } from '../regularFile.ts';

/** How to reach a cloud, and as which user, by clouds.yaml (docs: openstacksdk, "Configuring OpenStack SDK Applications"). */
export type CloudAccess = {
  readonly name: string;
  /** Of Keystone, without the version and without a slash at the end. */
  readonly authUrl: string;
  readonly login:
    | {
        readonly kind: 'password';
        readonly user: Named;
        readonly password: string;
        readonly project: Named;
      }
    | { readonly kind: 'applicationCredential'; readonly id: string; readonly secret: string };
  readonly region?: string;
  readonly interface: 'public' | 'internal' | 'admin';
  /** Endpoints that stand in for those of the catalogue, by service type: `compute_endpoint_override`. */
  readonly overrides: ReadonlyMap<string, string>;
  readonly tls: { readonly verify: boolean; readonly caFile?: string };
};

/** By id, or by name within a domain. */
export type Named = { readonly id: string } | { readonly name: string; readonly domain: Domain };
export type Domain = { readonly id: string } | { readonly name: string };

const text = z.union([z.string(), z.number()]).transform(String);
const entrySchema = z.looseObject({
  auth_type: z.string().optional(),
  auth: z.looseObject({
    auth_url: z.string(),
    username: text.optional(),
    user_id: text.optional(),
    password: text.optional(),
    project_name: text.optional(),
    project_id: text.optional(),
    user_domain_name: text.optional(),
    user_domain_id: text.optional(),
    project_domain_name: text.optional(),
    project_domain_id: text.optional(),
    domain_name: text.optional(),
    application_credential_id: text.optional(),
    application_credential_secret: text.optional(),
  }),
  region_name: text.optional(),
  regions: z.array(z.unknown()).optional(),
  interface: z.string().optional(),
  verify: z.boolean().optional(),
  cacert: z.string().optional(),
});
const fileSchema = z.looseObject({ clouds: z.record(z.string(), z.looseObject({})) });

/**
 * Where clouds.yaml is looked for, first to last: `OS_CLIENT_CONFIG_FILE`, the current folder, the user's configuration,
 * the machine's.
 */
export function cloudsFiles(env: NodeJS.ProcessEnv): readonly string[] {
  const user = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return [
    ...(env.OS_CLIENT_CONFIG_FILE ? [env.OS_CLIENT_CONFIG_FILE] : []),
    'clouds.yaml',
    join(user, 'openstack/clouds.yaml'),
    '/etc/openstack/clouds.yaml',
  ];
}

/**
 * Reads the entry `name` of the first clouds.yaml that is there, with the secure.yaml beside it laid over. Throws
 * CLOUD_INVALID with the file's name and what to write.
 */
export async function readCloud(name: string, files: readonly string[]): Promise<CloudAccess> {
  for (const file of files) {
    const clouds = await entriesOf(file);
    if (clouds === undefined) continue;
    const entry = clouds[name];
    if (entry === undefined) {
      throw invalid(file, `it has no cloud "${name}"`, `it has: ${Object.keys(clouds).join(', ') || 'none'}`);
    }
    const secret = (await entriesOf(join(dirname(file), 'secure.yaml')))?.[name];
    return accessFrom(name, file, secret === undefined ? entry : overlay(entry, secret));
  }
  throw new ReveilleError('CLOUD_INVALID', `there is no clouds.yaml for the cloud "${name}"`, {
    hint: `looked for ${files.join(', ')}; name one with cloud.file`,
  });
}

type Entry = { readonly [key: string]: unknown };

async function entriesOf(file: string): Promise<{ readonly [name: string]: Entry } | undefined> {
  let content: string;
  try {
    content = (await readRegular(file, 1_000_000)).toString('utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw invalid(file, `cannot be read: ${(cause as Error).message}`);
  }
  let value: unknown;
  try {
    value = parse(content, { prettyErrors: true });
  } catch (cause) {
    throw invalid(file, (cause as Error).message.split('\n')[0] ?? 'is not YAML');
  }
  const read = fileSchema.safeParse(value);
  if (!read.success) throw invalid(file, 'it has no "clouds:"');
  return read.data.clouds;
}

function overlay(entry: Entry, secret: Entry): Entry {
  return { ...entry, ...secret, auth: { ...(entry.auth as Entry), ...(secret.auth as Entry) } };
}

function accessFrom(name: string, file: string, entry: Entry): CloudAccess {
  const read = entrySchema.safeParse(entry);
  if (!read.success) {
    const issue = read.error.issues[0];
    throw invalid(file, `clouds.${name}.${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { auth, region_name, regions, verify = true, cacert, interface: wanted = 'public' } = read.data;
  if (!/^https?:$/.test(URL.parse(auth.auth_url)?.protocol ?? '')) {
    throw invalid(
      file,
      `clouds.${name}.auth.auth_url is no address: ${auth.auth_url}`,
      'write it as https://keystone.example.org:5000',
    );
  }
  const firstRegion = typeof regions?.[0] === 'string' ? regions[0] : undefined;
  const region = region_name ?? firstRegion;
  return {
    name,
    authUrl: auth.auth_url.replace(/\/+$/, '').replace(/\/v[23](\.0)?$/, ''),
    login: loginFrom(name, file, read.data),
    ...(region === undefined ? {} : { region }),
    interface: /^internal/.test(wanted) ? 'internal' : /^admin/.test(wanted) ? 'admin' : 'public',
    overrides: overridesFrom(entry),
    tls: { verify, ...(cacert === undefined ? {} : { caFile: cacert }) },
  };
}

function loginFrom(
  name: string,
  file: string,
  { auth, auth_type }: z.output<typeof entrySchema>,
): CloudAccess['login'] {
  if (auth.application_credential_id !== undefined) {
    if (auth.application_credential_secret === undefined) {
      throw invalid(file, `clouds.${name}.auth has application_credential_id and no application_credential_secret`);
    }
    return {
      kind: 'applicationCredential',
      id: auth.application_credential_id,
      secret: auth.application_credential_secret,
    };
  }
  if (auth_type !== undefined && !/^(v3)?password$/.test(auth_type)) {
    throw invalid(
      file,
      `clouds.${name}.auth_type ${auth_type} is not supported`,
      'use password or v3applicationcredential',
    );
  }
  const user = named(auth.user_id, auth.username, auth.user_domain_id, auth.user_domain_name ?? auth.domain_name);
  const project = named(
    auth.project_id,
    auth.project_name,
    auth.project_domain_id,
    auth.project_domain_name ?? auth.domain_name,
  );
  const lacking = [
    ...(user ? [] : ['username']),
    ...(auth.password === undefined ? ['password'] : []),
    ...(project ? [] : ['project_name']),
  ];
  if (!user || !project || auth.password === undefined) {
    throw invalid(file, `clouds.${name}.auth lacks ${lacking.join(', ')}`);
  }
  return { kind: 'password', user, project, password: auth.password };
}

function named(id?: string, name?: string, domainId?: string, domainName?: string): Named | undefined {
  if (id !== undefined) return { id };
  if (name === undefined) return undefined;
  const domain = domainId !== undefined ? { id: domainId } : { name: domainName ?? 'Default' };
  return { name, domain };
}

function overridesFrom(entry: Entry): ReadonlyMap<string, string> {
  const found = Object.entries(entry).flatMap(([key, value]) => {
    const type = /^(.+)_endpoint_override$/.exec(key)?.[1];
    return type !== undefined && typeof value === 'string'
      ? [[type.replaceAll('_', '-'), value.replace(/\/+$/, '')] as const]
      : [];
  });
  return new Map(found);
}

function invalid(file: string, message: string, hint?: string): ReveilleError {
  return new ReveilleError('CLOUD_INVALID', message, {
    place: { file, line: 1, col: 1 },
    ...(hint === undefined ? {} : { hint }),
  });
}
