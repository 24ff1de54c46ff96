import { existsSync } from 'node:fs';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { NODE_SET_HELP } from '../site/nodeSet.ts';

const SYSTEM_SITE = '/etc/reveille';

/** `--site DIR`: the site folder; else REVEILLE_SITE, else the current folder if it holds site.yaml, else /etc/reveille. */
export function siteOption(): Option {
  const here = existsSync('site.yaml');
  return new Option('--site <dir>', 'site folder')
    .env('REVEILLE_SITE')
    .default(here ? '.' : SYSTEM_SITE, here ? 'this folder' : SYSTEM_SITE);
}

/** `--state DIR`: the state folder; else REVEILLE_STATE, else /var/lib/reveille. */
export function stateOption(): Option {
  return new Option('--state <dir>', 'state folder').env('REVEILLE_STATE').default('/var/lib/reveille');
}

/** A command that asks the running server, with the options that say which one, and how it is known. */
export function asking(command: Command): Command {
  for (const option of [
    stateOption(),
    new Option('--server <url>', 'ask the server there, such as https://boot.example.org:8443').env('REVEILLE_SERVER'),
    new Option('--token-file <file>', 'file with the token that it knows').env('REVEILLE_TOKEN_FILE'),
    new Option('--server-fingerprint <sha256>', 'its certificate, as `reveille status` prints it there').env(
      'REVEILLE_SERVER_FINGERPRINT',
    ),
    new Option('--server-ca <file>', 'certificates (PEM) of the authority that signed its own').env(
      'REVEILLE_SERVER_CA',
    ),
  ])
    command.addOption(option);
  return command;
}

/** The argument that names nodes: several words are one list, an empty text where none is given. */
export function nodesArgument({
  required,
  more = '',
}: {
  readonly required: boolean;
  readonly more?: string;
}): Argument {
  const argument = new Argument(required ? '<nodes...>' : '[nodes...]', `${NODE_SET_HELP}${more}`);
  // Left to itself, an argument of several words that is not given is an empty list and no text.
  if (!required) argument.default('', 'all');
  return argument.argParser((word: string, before: string | undefined) => (before ? `${before},${word}` : word));
}

/** `--json`: print the result as JSON. */
export function jsonOption(): Option {
  return new Option('--json', 'print the result as JSON').default(false);
}

/** Reads the value of an option: a whole number between two bounds. */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`give a whole number from ${least} to ${most}`);
  };
}
