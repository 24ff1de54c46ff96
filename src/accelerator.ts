import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';

/** What runs a guest's processor: KVM on the host's processor, or QEMU's emulation (TCG). */
export type Accelerator = 'kvm' | 'tcg';

/** SeaBIOS under working KVM needs a third of this time; a KVM that emulates instructions needs longer. */
const LONG_ENOUGH_MS = 1200;

/**
 * What can run guests here. /dev/kvm may open although guests under it hang, crawl or crash (nested KVM on a host that does not
 * support it). So a BIOS without a boot device must reach its end in time, which exercises interrupts and timers.
 */
export async function findAccelerator(): Promise<Accelerator> {
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return 'tcg';
  }
  return (await biosRuns()) ? 'kvm' : 'tcg';
}

function biosRuns(): Promise<boolean> {
  const machine = ['-machine', 'pc,graphics=off', '-nodefaults', '-display', 'none', '-m', '64'];
  const timerWait = ['-boot', 'menu=on,splash-time=50'];
  const debugPort = ['-chardev', 'stdio,id=debug', '-device', 'isa-debugcon,iobase=0x402,chardev=debug'];
  const guest = spawn('qemu-system-x86_64', ['-accel', 'kvm', '-cpu', 'host', ...machine, ...timerWait, ...debugPort], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  return new Promise((resolve) => {
    const settle = (runs: boolean) => {
      clearTimeout(patience);
      guest.kill('SIGKILL');
      resolve(runs);
    };
    const patience = setTimeout(() => settle(false), LONG_ENOUGH_MS);
    let words = '';
    guest.stdout.setEncoding('latin1').on('data', (piece: string) => {
      words += piece;
      if (words.includes('No bootable device')) settle(true);
    });
    guest.once('exit', () => settle(false));
    guest.once('error', () => settle(false));
  });
}
