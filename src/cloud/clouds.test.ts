import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cloudsFiles, readCloud } from './clouds.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reveille-clouds-'));
});
after(() => rm(folder, { recursive: true }));

const GOOD = `
clouds:
  rack:
    auth:
      auth_url: https://keystone.example.org:5000/v3/
      username: reveille
      password: 12345
      project_name: service
      user_domain_name: Default
      project_domain_id: default
    region_name: here
    interface: internalURL
    verify: false
    compute_endpoint_override: http://10.0.0.10:8774/v2.1/
  app:
    auth_type: v3applicationcredential
    auth:
      auth_url: https://keystone.example.org
      application_credential_id: abc
      application_credential_secret: def
`;

test('an entry gives the address of Keystone, the user, and which endpoints to use', async () => {
  const file = await written('clouds.yaml', GOOD);
  assert.deepEqual(await readCloud('rack', [join(folder, 'none.yaml'), file]), {
    name: 'rack',
    authUrl: 'https://keystone.example.org:5000',
    login: {
      kind: 'password',
      user: { name: 'reveille', domain: { name: 'Default' } },
      password: '12345',
      project: { name: 'service', domain: { id: 'default' } },
    },
    region: 'here',
    interface: 'internal',
    overrides: new Map([['compute', 'http://10.0.0.10:8774/v2.1']]),
    tls: { verify: false },
  });
});

test('application credentials need neither user nor project', async () => {
  const { login } = await readCloud('app', [await written('clouds.yaml', GOOD)]);
  assert.deepEqual(login, { kind: 'applicationCredential', id: 'abc', secret: 'def' });
});

test('secure.yaml beside it brings the password', async () => {
  const file = await written('clouds.yaml', GOOD.replace('      password: 12345\n', ''));
  await assert.rejects(readCloud('rack', [file]), { code: 'CLOUD_INVALID', message: /lacks password/ });
  const secure = await written('secure.yaml', 'clouds: { rack: { auth: { password: hidden } } }');
  const { login } = await readCloud('rack', [file]);
  assert.ok(login.kind === 'password' && login.password === 'hidden');
  await rm(secure);
});

for (const [words, text, expected] of [
  ['no entry of that name', 'clouds: { other: { auth: { auth_url: x } } }', /no cloud "rack"/],
  ['no clouds', 'cloud: {}', /no "clouds:"/],
  ['not YAML', 'clouds: [', /./],
  ['an address without http', 'clouds: { rack: { auth: { auth_url: "keystone:5000" } } }', /auth_url is no address/],
  ['no address', 'clouds: { rack: { auth: { username: me } } }', /rack\.auth\.auth_url/],
  [
    'a way to log in that is not known',
    'clouds: { rack: { auth_type: v3oidc, auth: { auth_url: "http://x" } } }',
    /v3oidc is not supported/,
  ],
] as const) {
  test(`the error names it: ${words}`, async () => {
    const file = await written('bad.yaml', text);
    await assert.rejects(readCloud('rack', [file]), {
      code: 'CLOUD_INVALID',
      message: expected,
      place: { file, line: 1, col: 1 },
    });
  });
}

test('without a file the error lists where it was looked for', async () => {
  const files = cloudsFiles({ OS_CLIENT_CONFIG_FILE: '/one', XDG_CONFIG_HOME: '/two' });
  assert.deepEqual(files, ['/one', 'clouds.yaml', '/two/openstack/clouds.yaml', '/etc/openstack/clouds.yaml']);
  await assert.rejects(readCloud('rack', [join(folder, 'none')]), { code: 'CLOUD_INVALID', hint: /none/ });
});

async function written(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}
