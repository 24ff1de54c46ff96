import { openRack } from '../../src/lab/open.ts';
import type { LabMachine, Rack } from '../../src/lab/rack.ts';
import { uuidOf } from '../../src/lab/siteRack.ts';
import { ip, mac } from '../../src/site/testing/fixture.ts';

/** A rack of one machine with that many cards; nothing serves it. */
export function oneMachineRack(nics = 1, model: 'virtio-net-pci' | 'e1000' = 'virtio-net-pci'): Rack {
  const nic = (i: number) => ({ mac: mac(`52:54:00:00:0a:0${i}`), model, bridge: 'br0' });
  const machine: LabMachine = {
    name: 'alone',
    nics: [nic(0), ...Array.from({ length: nics - 1 }, (_, i) => nic(i + 1))],
    memoryMb: 128,
    firmware: 'bios',
    uuid: uuidOf(mac('52:54:00:00:0a:00')),
    serial: 'LAB-ALONE',
  };
  return { bridges: [{ name: 'br0', addresses: [{ ip: ip('10.0.0.2'), prefix: 24 }] }], machines: [machine] };
}

/** As a program, `oneMachine.ts FOLDER`: sets such a rack up, starts its machine, says `up` and stays. */
if (import.meta.main) {
  const [folder = ''] = process.argv.slice(2);
  try {
    const rack = await openRack(oneMachineRack(), { folder, accelerator: 'tcg' });
    await rack.boot('alone');
    await rack.waitForConsole('alone', /iPXE/, 60_000);
    console.log(`up ${rack.pid}`);
    setInterval(() => {}, 1000);
  } catch (error) {
    const { code, message, hint } = error as { code?: string; message?: string; hint?: string };
    console.log(JSON.stringify({ code, message, hint }));
    process.exitCode = 1;
  }
}
