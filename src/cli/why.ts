import { join } from 'node:path';
import { Command } from 'commander';
import { openShelf } from '../image/shelf.ts';
import { plainLines } from '../plainText.ts';
import { namesOneNode } from '../site/nodeSet.ts';
import { type Diagnosis, diagnose } from '../timeline/diagnose.ts';
import { jsonOption, nodesArgument, siteOption, stateOption } from './options.ts';
import { jsonText } from './print.ts';
import { currentStatus, nodesNamed } from './status.ts';

/** `reveille why NODES`: how each node stands, in words, and what to look at next. */
export function whyCommand(): Command {
  return new Command('why')
    .description('say in words how a node stands and what to look at next')
    .addArgument(nodesArgument({ required: true }))
    .addOption(siteOption())
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille why node01\n  reveille why @compute')
    .action(async (set: string, flags: { site: string; state: string; json?: boolean }) => {
      const { status } = await currentStatus(flags);
      const shelf = openShelf(join(flags.state, 'images'));
      const told = await Promise.all(
        nodesNamed(status, set).map(async (node) => {
          const built = node.image !== null && (await shelf.current(node.image)) !== undefined;
          return { node, diagnosis: diagnose(node, built, Date.now()) };
        }),
      );
      const plain = told.map(({ node, diagnosis }) => ({ node: node.name, state: node.state, ...diagnosis }));
      if (flags.json) console.log(jsonText(namesOneNode(set) ? plain[0] : plain));
      else console.log(told.map(({ diagnosis }) => text(diagnosis)).join('\n'));
    });
}

function text({ summary, advice }: Diagnosis): string {
  return plainLines([summary, ...advice.map((line) => `  ${line}`)].join('\n'));
}
