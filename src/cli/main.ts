import { Command, CommanderError } from 'commander';
import { interfaceAddresses } from '../net/interfaces.ts';
import { checkFolders } from '../node/check.ts';
import { checkSecrets } from '../node/secretCheck.ts';
import { unservable } from '../site/servable.ts';
import { checkCommand } from './check.ts';
import { demoCommand } from './demo.ts';
import { demoCloudCommand } from './demoCloud.ts';
import { diffCommand } from './diff.ts';
import { explainCommand } from './explain.ts';
import { foldersLast } from './foldersLast.ts';
import { imageCommand } from './image.ts';
import { slimCommand } from './imageSlim.ts';
import { importCommand } from './import.ts';
import { labCommand } from './lab.ts';
import { leaseCommand } from './lease.ts';
import { endUnread } from './lineLog.ts';
import { nodeCommand } from './node.ts';
import { siteOption, stateOption } from './options.ts';
import { overlayCommand } from './overlay.ts';
import { powerCommand } from './power.ts';
import { errorText } from './print.ts';
import { rollCommand } from './roll.ts';
import { schemaCommand } from './schema.ts';
import { serveCommand } from './serve.ts';
import { statusCommand } from './status.ts';
import { syncCommand } from './sync.ts';
import { watchCommand } from './watch.ts';
import { whyCommand } from './why.ts';

const USAGE = 2;

/** Everything that can be said on the command line. */
export const program = new Command('reveille')
  .description('Wakes a rack of diskless machines over the network and hands each its role.')
  .version('0.1.0')
  .exitOverride()
  // `roll` and `roll status` both have --json: what stands behind the word belongs to it.
  .enablePositionalOptions()
  .configureOutput({ outputError: (text, write) => write(`reveille: ${text}`) })
  .addHelpText(
    'after',
    '\nStart with:\n  reveille check --site DIR\n  reveille image build NAME --site DIR\n  reveille serve --site DIR',
  );

for (const command of [
  serveCommand(),
  checkCommand([async (site) => unservable(site), checkFolders, checkSecrets], interfaceAddresses),
  explainCommand(),
  statusCommand(),
  watchCommand(),
  whyCommand(),
  diffCommand(),
  syncCommand(),
  leaseCommand(),
  rollCommand(),
  powerCommand(),
  imageCommand().addCommand(slimCommand()),
  nodeCommand(),
  overlayCommand(),
  importCommand(),
  schemaCommand(),
  labCommand(),
  demoCommand(),
  demoCloudCommand(),
]) {
  program.addCommand(inherit(command));
}

if (import.meta.main) await run();

async function run(): Promise<void> {
  process.stdout.on('error', endUnread);
  try {
    await program.parseAsync(foldersLast(process.argv.slice(2)), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : USAGE;
    } else {
      console.error(`reveille: ${errorText(error)}`);
      process.exitCode = 1;
    }
  }
}

/**
 * Commands made elsewhere end by an exception too, so that usage mistakes have one exit code; and each takes `--site` and
 * `--state`, so that a script may pass both to all of them. Those that have no use for one do not list it.
 */
function inherit(command: Command): Command {
  command.copyInheritedSettings(program);
  for (const sub of command.commands) inherit(sub);
  if (command.commands.length === 0 || command.registeredArguments.length > 0) {
    for (const option of [siteOption(), stateOption()])
      if (!command.options.some(({ long }) => long === option.long)) command.addOption(option.hideHelp());
  }
  return command;
}
