import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Bmc } from '../model/node.ts';
import { carryOut } from './carryOut.ts';
import { openRedfish } from './redfish.ts';
import { type FakeSystem, fakeRedfish } from './testing/redfishFixture.ts';

async function service(t: TestContext, systems: FakeSystem[]) {
  const folder = mkdtempSync(join(tmpdir(), 'redfish-'));
  const fake = await fakeRedfish(folder, systems);
  t.after(() => {
    fake.close();
    rmSync(folder, { recursive: true });
  });
  const open = (more: Partial<Bmc & { kind: 'redfish' }> = {}, password = 'geheim') => {
    const access = { address: '127.0.0.1', port: fake.port, user: 'root', password: '{{ secrets.bmc }}' };
    return openRedfish({ kind: 'redfish', ...access, verify: true, ca: fake.certificate, ...more }, password);
  };
  return { fake, open };
}

const RESET = '/redfish/v1/Systems/437XR1138R2/Actions/ComputerSystem.Reset';

test('a machine is asked, switched on and off, cycled, and started from the network', async (t) => {
  const { fake, open } = await service(t, [{ id: '437XR1138R2', power: 'Off' }]);
  const bmc = open();
  assert.equal(await bmc.power(), 'off');
  assert.equal(await carryOut(bmc, 'on'), 'on');
  assert.equal(await carryOut(bmc, 'cycle'), 'on');
  assert.equal(await carryOut(bmc, 'off'), 'off');
  await bmc.bootFromNetworkOnce();
  await open({ bootMode: 'uefi' }).bootFromNetworkOnce();
  const once = '"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":"Pxe"';
  assert.deepEqual(fake.changes, [
    `POST ${RESET} {"ResetType":"On"}`,
    `POST ${RESET} {"ResetType":"PowerCycle"}`,
    `POST ${RESET} {"ResetType":"ForceOff"}`,
    `PATCH /redfish/v1/Systems/437XR1138R2 {"Boot":{${once}}}`,
    `PATCH /redfish/v1/Systems/437XR1138R2 {"Boot":{${once},"BootSourceOverrideMode":"UEFI"}}`,
  ]);
});

test('the ways that services differ: several systems, values listed elsewhere, settings of the next start', async (t) => {
  const settings = '/redfish/v1/Systems/b/Settings';
  const info = '/redfish/v1/Systems/b/ResetActionInfo';
  const { fake, open } = await service(t, [
    { id: 'a', power: 'On' },
    {
      id: 'b',
      power: 'PoweringOn',
      reset: { '@Redfish.ActionInfo': info },
      more: { '@Redfish.Settings': { SettingsObject: { '@odata.id': settings } } },
    },
    { id: 'c', power: 'On', reset: {} },
    { id: 'd', power: 'On', reset: { 'ResetType@Redfish.AllowableValues': ['PushPowerButton'] } },
  ]);
  await assert.rejects(open().power(), {
    code: 'BMC_UNSUPPORTED',
    message: 'the BMC 127.0.0.1 has 4 systems',
    hint: 'set bmc.system to one of a, b, c, d',
  });
  await assert.rejects(open({ system: 'x' }).power(), { message: 'the BMC 127.0.0.1 has no system x' });
  assert.equal(await open({ system: 'b' }).power(), 'off');
  fake.instead = (call) => {
    if (call === `GET ${info}`) {
      return [200, { Parameters: [{ Name: 'ResetType', AllowableValues: ['ForceRestart', 'ForceOn'] }] }];
    }
    return call === `GET ${settings}` || call.startsWith(`PATCH ${settings}`) ? [200, {}] : undefined;
  };
  await open({ system: 'b' }).change('cycle');
  await open({ system: 'b' }).change('on');
  await open({ system: 'b' }).bootFromNetworkOnce();
  await open({ system: 'c' }).change('cycle');
  await assert.rejects(open({ system: 'd' }).change('off'), {
    code: 'BMC_UNSUPPORTED',
    message: 'the BMC 127.0.0.1 knows none of ForceOff: PushPowerButton',
  });
  assert.deepEqual(
    fake.changes.map((call) => call.replace(/\/redfish\/v1\/Systems/, '').replace(/ \{"Boot.*/, '')),
    [
      'POST /b/Actions/ComputerSystem.Reset {"ResetType":"ForceRestart"}',
      'POST /b/Actions/ComputerSystem.Reset {"ResetType":"ForceOn"}',
      'PATCH /b/Settings',
      'POST /c/Actions/ComputerSystem.Reset {"ResetType":"PowerCycle"}',
    ],
  );
});

test('an error has its code, and the words of the BMC', async (t) => {
  const { fake, open } = await service(t, [{ id: '1', power: 'On' }]);
  await assert.rejects(open({}, 'falsch').power(), {
    code: 'BMC_LOGIN_REFUSED',
    message: 'the BMC 127.0.0.1 does not let root in (HTTP 401)',
  });
  await assert.rejects(open({ ca: '/nonexistent/bmc.pem' }).power(), { code: 'FILE_MISSING' });
  const failure = await open({ verify: true, ca: '/etc/ssl/certs/ca-certificates.crt' }).power().catch(String);
  assert.match(String(failure), /127\.0\.0\.1 does not answer: self-signed certificate/);
  assert.equal(await open({ verify: false, ca: '/etc/ssl/certs/ca-certificates.crt' }).power(), 'on');
  await assert.rejects(open({ port: 1 }).power(), { code: 'BMC_UNREACHABLE', message: /ECONNREFUSED/ });

  const rows: readonly [readonly [number, unknown], string, RegExp][] = [
    [[503, { error: { message: 'busy' } }], 'BMC_REFUSED', /busy \(HTTP 503\)/],
    [[403, { error: { '@Message.ExtendedInfo': [{ Message: 'no rights' }] } }], 'BMC_LOGIN_REFUSED', /no rights/],
    [[501, 'no such action'], 'BMC_UNSUPPORTED', /no such action/],
    [[200, 'text'], 'BMC_UNSUPPORTED', /does not answer like Redfish/],
    [[200, { Members: [{ '@odata.id': 'https://elsewhere.example.org/' }] }], 'BMC_REFUSED', /sends us elsewhere/],
    [[200, { Members: [{ '@odata.id': '//elsewhere.example.org/' }] }], 'BMC_REFUSED', /sends us elsewhere/],
    [[200, { Members: [{ '@odata.id': '/\\elsewhere.example.org/' }] }], 'BMC_REFUSED', /sends us elsewhere/],
  ];
  for (const [instead, code, message] of rows) {
    fake.instead = () => instead;
    await assert.rejects(open().power(), { code, message });
  }
});

test('a BMC may answer anything', async (t) => {
  const { fake, open } = await service(t, [{ id: '1', power: 'On' }]);
  await fc.assert(
    fc.asyncProperty(fc.json(), fc.constantFrom(200, 204, 302, 404, 500), async (text, status) => {
      fake.instead = () => [status, JSON.parse(text)];
      for (const call of [() => open().power(), () => open().change('off'), () => open().bootFromNetworkOnce()]) {
        await assert.rejects(call(), { code: /^BMC_/ });
      }
    }),
    { numRuns: 30 },
  );
});
