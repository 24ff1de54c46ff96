import { Command } from 'commander';
import { commandsFor } from './commands.ts';
import { siteOption, stateOption } from './options.ts';

/** What the command line takes: the command that the arguments name, or all of them, for the help and for words that name none. */
export async function programFor(args: readonly string[]): Promise<Command> {
  const program = new Command('reveille')
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
  for (const command of await commandsFor(args)) program.addCommand(inherit(command, program));
  return program;
}

/**
 * Commands made elsewhere end by an exception too, so that usage mistakes have one exit code; and each takes `--site` and
 * `--state`, so that a script may pass both to all of them. Those that have no use for one do not list it.
 */
function inherit(command: Command, program: Command): Command {
  command.copyInheritedSettings(program);
  for (const sub of command.commands) inherit(sub, program);
  if (command.commands.length === 0 || command.registeredArguments.length > 0) {
    for (const option of [siteOption(), stateOption()])
      if (!command.options.some(({ long }) => long === option.long)) command.addOption(option.hideHelp());
  }
  return command;
}
