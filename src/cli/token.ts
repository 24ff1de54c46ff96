import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { ApiTokens, type TokenShown } from '../access/apiTokens.ts';
import { ROLES, type Role } from '../access/role.ts';
import { ReveilleError } from '../errors.ts';
import { CREATE_TOKEN, LIST_TOKENS, REVOKE_TOKEN } from '../http/contracts/tokens.ts';
import { parseDuration } from '../site/duration.ts';
import { openStore } from '../state/store.ts';
import { ask, type ServerFlags } from './api.ts';
import { asking, jsonOption } from './options.ts';
import { jsonText, moment, paint } from './print.ts';
import { table } from './table.ts';

type Flags = ServerFlags & { readonly json: boolean };

/** `reveille token`: who may ask the API over TCP. */
export function tokenCommand(): Command {
  return new Command('token')
    .description('make, list and revoke the tokens of the API that is served over TCP')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function createCommand(): Command {
  return asking(new Command('create'))
    .description('make a token, and print it: it is kept nowhere, only its hash is')
    .argument('<name>', 'a name for it, such as that of who uses it')
    .addOption(
      new Option('--role <role>', 'viewer reads; operator acts on machines too; admin also changes tokens and the site')
        .choices(ROLES)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--expires <time>', 'it ends after this time, such as 30d; default: never').argParser(duration),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  reveille token create ci --role operator --expires 90d\n  reveille token create grafana --role viewer > /etc/prometheus/reveille.token',
    )
    .action(async (name: string, flags: Flags & { readonly role: Role; readonly expires?: number }) => {
      const { role, expires } = flags;
      const expiresAt = expires === undefined ? null : Date.now() + expires;
      const token = await orWithoutServer(
        flags,
        async () => {
          const body = { name, role, ...(expiresAt === null ? {} : { expiresAt }) };
          return (await ask(flags, CREATE_TOKEN, { body })).token;
        },
        (tokens) => tokens.create(name, role, expiresAt),
      );
      console.log(flags.json ? jsonText({ name, role, expiresAt, token }) : token);
    });
}

function listCommand(): Command {
  return asking(new Command('list'))
    .description('list the tokens, without their texts')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille token list')
    .action(async (flags: Flags) => {
      const tokens = await orWithoutServer(
        flags,
        () => ask(flags, LIST_TOKENS, {}),
        async (kept) => kept.list(),
      );
      console.log(flags.json ? jsonText(tokens) : tokensText(tokens));
    });
}

function revokeCommand(): Command {
  return asking(new Command('revoke'))
    .description('end a token at once')
    .addArgument(new Argument('<name>', 'as `reveille token list` names it'))
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille token revoke ci')
    .action(async (name: string, flags: Flags) => {
      const token = await orWithoutServer(
        flags,
        () => ask(flags, REVOKE_TOKEN, { params: { name } }),
        (tokens) => tokens.revoke(name),
      );
      console.log(flags.json ? jsonText(token) : `The token ${name} is revoked.`);
    });
}

/** Asks the running server or, where none runs on this machine, changes the state itself. */
async function orWithoutServer<T>(
  flags: ServerFlags,
  work: () => Promise<T>,
  alone: (tokens: ApiTokens) => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isAway = error instanceof ReveilleError && error.code === 'SERVER_UNREACHABLE';
    if (!isAway || flags.server !== undefined) throw error;
  }
  const store = await openStore(flags.state);
  try {
    using tokens = await ApiTokens.open({ store: store.apiTokens, now: Date.now });
    return await alone(tokens);
  } finally {
    await store.close();
  }
}

/** The tokens as a table. */
export function tokensText(tokens: readonly TokenShown[]): string {
  if (tokens.length === 0) return 'There is no token.';
  const rows = tokens.map(({ name, role, createdAt, expiresAt, expired }) => [
    name,
    role,
    moment(createdAt),
    expiresAt === null ? 'never' : `${moment(expiresAt)}${expired ? ' (over)' : ''}`,
  ]);
  const [heading = '', ...lines] = table([['NAME', 'ROLE', 'MADE', 'ENDS'], ...rows]).split('\n');
  return [paint('bold', heading), ...lines].join('\n');
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1000) throw new InvalidArgumentError('It is a time such as 12h or 90d.');
  return ms;
}
