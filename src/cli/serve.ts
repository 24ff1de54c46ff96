import { writeSync } from 'node:fs';
import { Command, Option } from 'commander';
import { jsonLine } from '../log/line.ts';
import type { LogFormat } from '../log/log.ts';
import { dropTo, hasToDrop, SERVE_NEEDS } from '../net/capabilities.ts';
import { SiteThread } from '../siteFollower.ts';
import { endUnread, openLineLog, standardOutput } from './lineLog.ts';
import { siteOption, stateOption } from './options.ts';
import { eventLine } from './watch.ts';

/** EX_SOFTWARE of sysexits.h. */
const EXIT_UNSAFE = 70;

type Flags = {
  readonly site: string;
  readonly state: string;
  readonly log?: LogFormat;
  readonly json?: boolean;
  readonly user?: string;
  readonly keepPrivileges?: boolean;
};

/** `reveille serve`: answers DHCP, TFTP and HTTP until it is stopped; prints a line for each event. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('answer DHCP, TFTP and HTTP for the site, and follow its edits')
    .addOption(siteOption())
    .addOption(stateOption())
    .addOption(new Option('--user <name>', 'become this user once started (the state folder must be its own)'))
    .addOption(new Option('--keep-privileges', 'keep capabilities that are not needed; for debugging'))
    .addOption(
      new Option('--log <format>', 'how each event is printed; default: `log.format` of the site').choices([
        'text',
        'json',
      ]),
    )
    .addOption(new Option('--json', 'the same as --log json'))
    .addHelpText('after', '\nExample:\n  reveille serve --site /etc/reveille --state /var/lib/reveille')
    .action(async (flags: Flags) => {
      const become = flags.user === undefined ? {} : { user: flags.user };
      if (!flags.keepPrivileges && hasToDrop(SERVE_NEEDS, become)) {
        const { tryPorts } = await import('../preflight.ts');
        await tryPorts(flags.site);
        dropTo(SERVE_NEEDS, become);
      }
      process.stdout.off('error', endUnread);
      const log = openLineLog(standardOutput(process.stdout));
      // The site is read while the server's code is.
      const siteThread = new SiteThread({ folder: flags.site, stateFolder: flags.state });
      const { serve } = await import('../serve.ts');
      await using _server = await serve({
        siteFolder: flags.site,
        stateFolder: flags.state,
        siteThread,
        end: () => {
          log.flush();
          writeSync(2, 'reveille: ended after an exception, so that no lease is lost\n');
          process.exit(EXIT_UNSAFE);
        },
        listener: (event, ofSite) => {
          const format = flags.log ?? (flags.json ? 'json' : ofSite);
          log.write(() => (format === 'json' ? jsonLine(event) : eventLine(event)));
        },
      });
      await toldToStop();
    });
}

async function toldToStop(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
