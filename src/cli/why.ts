import { join } from 'node:path';
import { Command } from 'commander';
import { openShelf } from '../image/shelf.ts';
import { diagnose } from '../timeline/diagnose.ts';
import { jsonOption, siteOption, stateOption } from './options.ts';
import { currentStatus, nodeNamed } from './status.ts';

/** `reveille why NODE`: how a node stands, in words, and what to look at next. */
export function whyCommand(): Command {
  return new Command('why')
    .description('say in words how a node stands and what to look at next')
    .argument('<node>', 'name of the node')
    .addOption(siteOption())
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille why node01')
    .action(async (name: string, flags: { site: string; state: string; json?: boolean }) => {
      const { status } = await currentStatus(flags);
      const node = nodeNamed(status, name);
      const built =
        node.image !== null && (await openShelf(join(flags.state, 'images')).current(node.image)) !== undefined;
      const diagnosis = diagnose(node, built, Date.now());
      if (flags.json) console.log(JSON.stringify({ node: name, state: node.state, ...diagnosis }, null, 2));
      else console.log([diagnosis.summary, ...diagnosis.advice.map((line) => `  ${line}`)].join('\n'));
    });
}
