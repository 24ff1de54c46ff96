import assert from 'node:assert/strict';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { hasUsers, peerNodes } from './peers.rig.ts';

const SITE = {
  site: 'rack',
  networks: { rack: { subnet: '10.0.0.0/24' } },
  profiles: { compute: { overlays: ['libvirtd'] } },
  nodes: {
    node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['compute'] },
    node02: { mac: '52:54:00:00:00:52', ip: '10.0.0.52', profiles: ['compute'] },
  },
};

const MAY = hasUsers() ? {} : { skip: 'needs root: files belong to several users' };

test(
  'memory goes from QEMU to QEMU under TLS, each holding the other’s certificate against the site’s',
  MAY,
  async () => {
    await using rig = await peerNodes(SITE, ['node01', 'node02']);
    const [node01, node02] = rig.nodes;
    assert(node01 && node02);
    const qemu = (endpoint: string) =>
      'setpriv --reuid=libvirt-qemu --regid=kvm --init-groups qemu-system-x86_64 -machine pc,accel=tcg -m 16 -S -nodefaults ' +
      `-display none -object tls-creds-x509,id=tls,dir=/etc/pki/qemu,endpoint=${endpoint},verify-peer=yes -monitor stdio`;
    const from = monitor(node01.spawn(qemu('client')));
    await from('migrate_set_parameter tls-creds tls');
    // QEMU checks for the address where Nova names one, else for the name.
    for (const [called, ends] of [
      ['stranger', 'failed'],
      ['10.0.0.52', 'completed'],
    ]) {
      const to = monitor(node02.spawn(`${qemu('server')} -incoming defer`));
      await to('migrate_set_parameter tls-creds tls', 'migrate_incoming tcp:0:49152');
      await from(`migrate_set_parameter tls-hostname ${called}`, 'migrate tcp:10.0.0.52:49152');
      assert.match(await from('info migrate'), new RegExp(`Migration status: ${ends}`));
      await to('quit');
    }
    await from('quit');
  },
);

/** Says commands to the monitor of a QEMU, one after the other; resolves to what it answered to all of them. */
function monitor(qemu: ChildProcessWithoutNullStreams): (...commands: string[]) => Promise<string> {
  let heard = '';
  // One that has ended hears nothing more.
  qemu.stdin.on('error', () => {});
  qemu.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  const prompts = () => heard.split('(qemu) ').length - 1;
  const prompted = async (count: number) => {
    while (prompts() < count && qemu.exitCode === null && qemu.signalCode === null) await delay(20);
  };
  return async (...commands) => {
    await prompted(1);
    heard = '';
    for (const [i, command] of commands.entries()) {
      qemu.stdin.write(`${command}\n`);
      await prompted(i + 1);
    }
    const answer = heard;
    heard = '(qemu) ';
    return answer;
  };
}
