import { Command } from 'commander';
import { EVENTS } from '../http/contracts/events.ts';
import type { Event } from '../model/event.ts';
import { escapeUnsafe } from '../plainText.ts';
import { describeEvent } from '../words/event.ts';
import { askLines, type ServerFlags } from './api.ts';
import { asking, jsonOption, nodesArgument } from './options.ts';
import { clock, paint } from './print.ts';

/** `reveille watch [NODES]`: one line for each event, as it happens, until interrupted. */
export function watchCommand(): Command {
  return asking(new Command('watch'))
    .description('show what happens as it happens, a line for each event')
    .addArgument(nodesArgument({ required: false }))
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille watch node01\n  reveille watch node[01-16]')
    .action(async (set: string, flags: ServerFlags & { json?: boolean }) => {
      const query = set === '' ? { follow: true } : { follow: true, node: set };
      for await (const event of askLines(flags, EVENTS, { query })) {
        console.log(flags.json ? escapeUnsafe(JSON.stringify(event)) : eventLine(event));
      }
    });
}

/** `20:31:07.123  node01  DHCP ACK 10.0.0.51`: time, who, what; failures stand out on a terminal. */
export function eventLine(event: Event): string {
  const who = (event.node ?? event.mac ?? '').padEnd(17);
  const words = describeEvent(event);
  return `${paint('dim', clock(event.at))}  ${who}  ${isBad(event) ? paint('red', words) : isGood(event) ? paint('green', words) : words}`;
}

function isBad(event: Event): boolean {
  return (
    event.kind.endsWith('.failed') ||
    event.kind === 'dhcp.nak' ||
    event.kind === 'dhcp.other-server' ||
    event.kind === 'site.rejected' ||
    event.kind === 'server.trouble' ||
    (event.kind === 'roll.step' && (event.phase === 'failed' || event.phase === 'stopped')) ||
    (event.kind === 'node.step' && event.status === 'failed')
  );
}

function isGood(event: Event): boolean {
  if (event.kind === 'roll.step') return event.phase === 'done';
  if (event.kind === 'cloud.standing') return event.standing === 'in-service';
  return event.kind === 'node.step' && event.code === 'ready' && event.status === 'done';
}
