import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Bmc } from '../model/node.ts';
import { IPMI_BMC as BMC } from '../site/testing/bmcFixture.ts';
import { accessArguments, ipmiFailure, openIpmi, type Run } from './ipmi.ts';

/** A session whose ipmitool prints this. */
function answering(run: Partial<Run>, bmc: Bmc & { kind: 'ipmi' } = BMC) {
  const ran: string[] = [];
  const session = openIpmi(bmc, 'geheim', async (args, password) => {
    assert.equal(password, 'geheim');
    assert.ok(!args.includes('geheim'), 'no password among the arguments');
    ran.push(args.slice(accessArguments(bmc).length).join(' '));
    return { code: 0, stdout: '', stderr: '', ...run };
  });
  return { session, ran };
}

describe('ipmitool', () => {
  it('gets the BMC as arguments, and the password apart from them', () => {
    assert.deepEqual(
      accessArguments({ ...BMC, cipher: 17 }).join(' '),
      '-v -I lanplus -H 10.1.0.51 -p 623 -U admin -E -L OPERATOR -N 1 -R 3 -C 17',
    );
  });

  it('runs ipmitool with the order', async () => {
    assert.equal(await answering({ stdout: 'Chassis Power is on\n' }).session.power(), 'on');
    assert.equal(
      await answering({ stdout: 'Discovered IPMB address 0x0\nChassis Power is off\n' }).session.power(),
      'off',
    );
    await assert.rejects(answering({ stdout: 'Chassis Power is maybe' }).session.power(), { code: 'BMC_UNSUPPORTED' });
    const plain = answering({});
    await plain.session.change('cycle');
    await plain.session.bootFromNetworkOnce();
    const uefi = answering({}, { ...BMC, bootMode: 'uefi' });
    await uefi.session.bootFromNetworkOnce();
    assert.deepEqual(
      [...plain.ran, ...uefi.ran],
      ['chassis power cycle', 'chassis bootdev pxe', 'chassis bootdev pxe options=efiboot'],
    );
  });

  const session = 'Error: Unable to establish IPMI v2 / RMCP+ session';
  const rows: readonly [string, Partial<Run>, string, RegExp][] = [
    ['is not there', { code: 'missing' }, 'TOOL_MISSING', /^ipmitool is not installed$/],
    ['takes too long', { code: 'timeout' }, 'BMC_UNREACHABLE', /does not answer within 30 s$/],
    [
      'hears nothing',
      { stderr: `Get Auth Capabilities error\n${session}\n` },
      'BMC_UNREACHABLE',
      /10\.1\.0\.51 does not answer$/,
    ],
    [
      'finds no such host',
      { stderr: `Address lookup for x failed\nCould not open socket!\n${session}` },
      'BMC_UNREACHABLE',
      /does not answer: Address lookup for x failed$/,
    ],
    [
      'has the wrong password',
      { stderr: `Loading IANA PEN Registry...\n> RAKP 2 HMAC is invalid\n${session}\n` },
      'BMC_LOGIN_REFUSED',
      /does not let admin in: RAKP 2 HMAC is invalid$/,
    ],
    [
      'has an unknown user',
      { stderr: `RAKP 2 message indicates an error : unauthorized name\n${session}\n` },
      'BMC_LOGIN_REFUSED',
      /unauthorized name$/,
    ],
    [
      'has a password that IPMI cannot have',
      { stderr: 'lanplus: password is longer than 20 bytes.\n' },
      'BMC_LOGIN_REFUSED',
      /longer than 20 bytes\.$/,
    ],
    [
      'is let in by IPMI 1.5 no more than by 2.0',
      {
        stderr:
          'Activate Session error:\tRequested privilege level exceeds limit\nError: Unable to establish LAN session\n',
      },
      'BMC_LOGIN_REFUSED',
      /exceeds limit$/,
    ],
    [
      'has a cipher suite that the BMC has not',
      { stderr: `Error in open session response message : invalid authentication algorithm\n\n${session}\n` },
      'BMC_UNSUPPORTED',
      /does not take the cipher suite/,
    ],
    [
      'asks for what the BMC cannot',
      {
        stderr:
          'Invalid completion code received: Insufficient privilege level\nSet Chassis Power Control to Cycle failed: Invalid command\n',
      },
      'BMC_UNSUPPORTED',
      /Cycle failed: Invalid command$/,
    ],
    [
      'asks for what the user may not',
      { stderr: 'Set Chassis Power Control to Up/On failed: Insufficient privilege level\n' },
      'BMC_LOGIN_REFUSED',
      /does not let admin do this/,
    ],
    ['is refused', { stderr: 'Set Chassis Power Control to Up/On failed: Node busy\n' }, 'BMC_REFUSED', /Node busy$/],
    ['says nothing', { stderr: '' }, 'BMC_REFUSED', /ended with code 1$/],
  ];
  for (const [name, run, code, message] of rows) {
    it(name, async () => {
      await assert.rejects(answering({ code: 1, ...run }).session.power(), { code, message });
    });
  }

  it('may say anything', () => {
    fc.assert(
      fc.property(fc.string(), (stderr) => {
        assert.match(ipmiFailure(BMC, { code: 1, stdout: '', stderr }).code, /^BMC_/);
      }),
    );
  });
});
