import { Command, InvalidArgumentError, Option } from 'commander';
import { EVENTS } from '../http/contracts/events.ts';
import { escapeUnsafe } from '../plainText.ts';
import { parseDuration } from '../site/duration.ts';
import { KINDS_PATTERN } from '../timeline/eventKinds.ts';
import { askLines, type ServerFlags } from './api.ts';
import { asking, jsonOption, nodesArgument, whole } from './options.ts';
import { eventLine } from './watch.ts';

type Flags = ServerFlags & {
  readonly kind?: string;
  readonly since?: number;
  readonly limit: number;
  readonly json: boolean;
};

/** `reveille events [NODES]`: what happened, oldest first. */
export function eventsCommand(): Command {
  return asking(new Command('events'))
    .description('show what happened, a line for each event that is kept, oldest first')
    .addArgument(nodesArgument({ required: false }))
    .addOption(
      new Option('--kind <kinds>', 'only these kinds, with commas between; audit.*: all that begin so').argParser(
        kinds,
      ),
    )
    .addOption(new Option('--since <time>', 'only those of this time until now, such as 2h').argParser(duration))
    .addOption(new Option('--limit <count>', 'the newest so many').argParser(whole(1, 10_000)).default(100))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  reveille events node01 --since 1h\n  reveille events --kind audit.* --limit 20',
    )
    .action(async (set: string, { kind, since, limit, json, ...server }: Flags) => {
      const query = {
        limit,
        ...(set === '' ? {} : { node: set }),
        ...(kind === undefined ? {} : { kind: kind.split(',') }),
        ...(since === undefined ? {} : { since: Date.now() - since }),
      };
      for await (const event of askLines(server, EVENTS, { query }))
        console.log(json ? escapeUnsafe(JSON.stringify(event)) : eventLine(event));
    });
}

function kinds(text: string): string {
  if (KINDS_PATTERN.test(text)) return text;
  throw new InvalidArgumentError('It is kinds of events, such as audit.* or dhcp.nak,dhcp.refused.');
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1000) throw new InvalidArgumentError('It is a time such as 30m or 2h.');
  return ms;
}
