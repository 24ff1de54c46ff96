import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { ReveilleError } from '../errors.ts';
import { bmcsOf } from '../lab/bmcs.ts';
import { openWithServer } from '../lab/hold.ts';
import type { LabFirmware, NicModel } from '../lab/rack.ts';
import { DEFAULT_SHAPE, type MachineShape, rackOfSite } from '../lab/siteRack.ts';
import { SiteSecrets } from '../node/siteSecrets.ts';
import { selectNodes } from '../site/nodeSet.ts';
import { labCloudCommand } from './labCloud.ts';
import { askStanding, holdForParent, insideOf, runInside, startHolder } from './labHolder.ts';
import { show } from './labText.ts';
import { jsonOption, nodesArgument, siteOption, stateOption, whole } from './options.ts';
import { siteIn } from './site.ts';

type UpFlags = {
  readonly site: string;
  readonly state: string;
  readonly json?: boolean;
  readonly memory: number;
  readonly nics: number;
  readonly nicModel: NicModel;
  readonly firmware: LabFirmware;
};
type Flags = { readonly state: string; readonly json?: boolean };

/** `reveille lab`: a virtual rack of the site's nodes, with the real server in it. */
export function labCommand(): Command {
  return new Command('lab')
    .description('rehearse the site in a virtual rack: QEMU machines on a bridge of their own, with a server inside')
    .addHelpText(
      'after',
      [
        '\nExample:',
        '  reveille image build bookworm-ram --site examples/demo --state /tmp/demo',
        '  reveille lab up --site examples/demo --state /tmp/demo',
        '  reveille lab boot node01 --state /tmp/demo',
        '  reveille lab console node01 --follow --state /tmp/demo',
        '  reveille status --site examples/demo --state /tmp/demo',
        '  reveille lab down --state /tmp/demo',
      ].join('\n'),
    )
    .addCommand(upCommand())
    .addCommand(powerCommand('boot', 'switch machines on'))
    .addCommand(powerCommand('reset', 'press the reset button of machines that are on'))
    .addCommand(powerCommand('off', 'pull the plug of machines'))
    .addCommand(consoleCommand())
    .addCommand(statusCommand())
    .addCommand(execCommand())
    .addCommand(downCommand())
    .addCommand(labCloudCommand())
    .addCommand(holdCommand(), { hidden: true });
}

function upCommand(): Command {
  return withShape(new Command('up'))
    .description('set the rack up and start the server in it; it stays until `lab down`')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille lab up --site examples/demo --state /tmp/demo --memory 512')
    .action(async (flags: UpFlags) => {
      await siteIn(flags.site);
      const { memory, nics, nicModel, firmware } = flags;
      const shape = ['--memory', `${memory}`, '--nics', `${nics}`, '--nic-model', nicModel, '--firmware', firmware];
      show(await startHolder(['lab', 'hold', ...shape], flags), flags.json);
    });
}

/** The process behind `lab up`. */
function holdCommand(): Command {
  return withShape(new Command('hold'))
    .description('hold a rack until it is taken down')
    .action((flags: UpFlags) => {
      const folders = { site: flags.site, state: flags.state };
      return holdForParent(folders, async () => {
        const site = await siteIn(flags.site);
        const rack = rackOfSite(site, shapeOf(flags));
        const secrets = new SiteSecrets(() => site, process.env);
        return openWithServer(rack, await bmcsOf(rack, site, secrets), folders);
      });
    });
}

function withShape(command: Command): Command {
  return command
    .addOption(siteOption())
    .addOption(stateOption())
    .addOption(
      new Option('--memory <MB>', 'memory of each machine').default(DEFAULT_SHAPE.memoryMb).argParser(whole(128, 1e6)),
    )
    .addOption(
      new Option('--nics <n>', 'network cards of each machine').default(DEFAULT_SHAPE.nics).argParser(whole(1, 24)),
    )
    .addOption(
      new Option('--nic-model <model>', 'kind of network card')
        .choices(['virtio-net-pci', 'e1000'] satisfies NicModel[])
        .default(DEFAULT_SHAPE.nicModel),
    )
    .addOption(
      new Option('--firmware <kind>', 'firmware of each machine; uefi needs the package ovmf')
        .choices(['bios', 'uefi'] satisfies LabFirmware[])
        .default(DEFAULT_SHAPE.firmware),
    );
}

function shapeOf({ memory, nics, nicModel, firmware }: UpFlags): MachineShape {
  return { memoryMb: memory, nics, nicModel, firmware };
}

function powerCommand(op: 'boot' | 'reset' | 'off', description: string): Command {
  return new Command(op)
    .description(`${description}; all of the rack if none is named`)
    .addArgument(nodesArgument({ required: false }))
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText('after', `\nExample:\n  reveille lab ${op} node[01-02]`)
    .action(async (set: string, flags: Flags) => {
      const names = set === '' ? [] : await machinesNamed(set, flags.state);
      show(await askStanding(flags.state, { op, names }), flags.json);
    });
}

async function machinesNamed(set: string, state: string): Promise<string[]> {
  const { machines } = await askStanding(state, { op: 'status' });
  return selectNodes(
    machines.map(({ name }) => ({ name, macs: [], profiles: [] })),
    set,
  ).map(({ name }) => name);
}

function statusCommand(): Command {
  return new Command('status')
    .description('show the rack and which machines are on')
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille lab status --json')
    .action(async (flags: Flags) => show(await askStanding(flags.state, { op: 'status' }), flags.json));
}

function downCommand(): Command {
  return new Command('down')
    .description('end the server and every machine of the rack')
    .addOption(stateOption())
    .action(async (flags: Flags) => {
      await askStanding(flags.state, { op: 'down' });
      console.log('The rack is down.');
    });
}

function consoleCommand(): Command {
  return new Command('console')
    .description('print what a machine wrote to its serial console since it was switched on')
    .argument('<node>', 'name of the node')
    .addOption(stateOption())
    .option('-f, --follow', 'go on printing until interrupted', false)
    .addHelpText('after', '\nExample:\n  reveille lab console node01 --follow')
    .action(async (name: string, flags: { readonly state: string; readonly follow: boolean }) => {
      const { machines } = await askStanding(flags.state, { op: 'status' });
      const machine = machines.find((one) => one.name === name);
      if (!machine) {
        const known = machines.map((one) => one.name).join(', ');
        throw new ReveilleError('NODE_UNKNOWN', `the rack has no machine ${name}`, { hint: `It has ${known}.` });
      }
      let shown = 0;
      do {
        const { size } = await stat(machine.console).catch(() => ({ size: 0 }));
        if (size < shown) shown = 0;
        if (size > shown) {
          for await (const piece of createReadStream(machine.console, { start: shown, end: size - 1 })) {
            if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
          }
          shown = size;
        }
        if (flags.follow) await sleep(200);
      } while (flags.follow);
    });
}

function execCommand(): Command {
  return new Command('exec')
    .description('run a program inside the rack, on the side of the server')
    .argument('<command...>', 'program and its arguments, after --')
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  reveille lab exec -- tcpdump -n -i br0')
    .action(async (command: string[], flags: Flags) => {
      await runInside(insideOf(await askStanding(flags.state, { op: 'status' })), command);
    });
}
