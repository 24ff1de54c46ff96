import { askRack } from './control.ts';

/**
 * As a program, `chassis.ts SOCKET MACHINE get|set ...`: what a virtual BMC does to its machine, by a request to the rack at
 * SOCKET. Prints the answer in the form that ipmi_sim reads. Lab machines start from the network, whatever boot device is set.
 */
async function answer(socket: string, machine: string, [verb, what, value]: readonly string[]): Promise<string> {
  const names = [machine];
  const rack = await askRack(socket, { op: 'status' });
  const on = rack?.machines.find(({ name }) => name === machine)?.on;
  if (on === undefined) throw new Error(`no rack at ${socket} has a machine ${machine}`);
  switch (`${verb} ${what} ${value ?? ''}`.trim()) {
    case 'get power':
      return `power:${on ? 1 : 0}\n`;
    case 'get boot':
      return 'boot:pxe\n';
    case 'set power 1':
      if (!on) await askRack(socket, { op: 'boot', names });
      return '';
    case 'set power 0':
      await askRack(socket, { op: 'off', names });
      return '';
    case 'set reset 1':
      if (on) await askRack(socket, { op: 'reset', names });
      return '';
    default:
      return '';
  }
}

const [socket = '', machine = '', ...words] = process.argv.slice(2);
process.stdout.write(await answer(socket, machine, words));
