import { setTimeout as after } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ReveilleError } from '../errors.ts';
import { ABORT_ROLL, BEGIN_ROLL, RESUME_ROLL, ROLL_BACK, SHOW_ROLL } from '../http/contracts/rolls.ts';
import { POLICIES, type Policy } from '../model/rollNote.ts';
import { isActive, type Roll, type RollLimits } from '../roll/record.ts';
import { parseDuration } from '../site/duration.ts';
import { rollJson } from '../words/roll.ts';
import { ask, type ServerFlags } from './api.ts';
import { asking, jsonOption, nodesArgument } from './options.ts';
import { jsonText } from './print.ts';
import { lines, liveTable, pinLines, previewText, rollText } from './rollText.ts';
import { askState } from './state.ts';

type Limits = {
  readonly maxUnavailable?: number;
  readonly failures?: number;
  readonly policy?: Policy;
  readonly bootTime?: number;
};
type Flags = Limits &
  Shown & {
    readonly image?: string;
    readonly drifted: boolean;
    readonly dryRun: boolean;
  };
type Shown = ServerFlags & { readonly json: boolean };
type ShownRoll = { readonly roll: Roll; readonly pins: Readonly<Record<string, string>> };

/** `reveille roll NODES` and what is done about rolls. */
export function rollCommand(): Command {
  const roll = asking(new Command('roll'))
    .description('renew running nodes onto their newest image, a few at a time, their instances moved away before')
    .addArgument(nodesArgument({ required: false }))
    .addOption(
      new Option('--drifted', 'only nodes whose running image or files are not the wanted ones').default(false),
    )
    .addOption(new Option('--image <name>', 'another image than the site gives them; they stay pinned to it'))
    .addOption(new Option('--dry-run', 'say what would be done, and do nothing').default(false));
  return withLimits(roll)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nThe server does the work: the command only shows it, and may be interrupted. Exits 1 if the roll stops or is aborted, or a node fails.\n\nExample:\n  reveille roll node[01-32] --max-unavailable 2\n  reveille roll @compute --drifted --dry-run\n  reveille roll --drifted --policy cold --failures 1\n  reveille roll status\n  reveille roll rollback',
    )
    .action(async (set: string, flags: Flags) => {
      if (set === '' && !flags.drifted) roll.error('error: name the nodes, or say --drifted');
      const { drifted, dryRun, image } = flags;
      const nodes = set === '' ? {} : { nodes: set };
      const body = { ...nodes, drifted, dryRun, ...(image === undefined ? {} : { image }), ...limitsOf(flags) };
      const begun = await ask(flags, BEGIN_ROLL, { body });
      if (!dryRun) return follow(begun, flags);
      console.log(flags.json ? jsonText(rollJson(begun)) : previewText(begun));
    })
    .addCommand(statusCommand())
    .addCommand(abortCommand())
    .addCommand(resumeCommand())
    .addCommand(rollbackCommand());
}

/** The options of a roll's limits; `usual` says what counts where one is not given. */
function withLimits(command: Command, usual?: string): Command {
  const or = (value: string) => `(default: ${usual ?? value})`;
  const options = [
    new Option('--max-unavailable <n>', `nodes that may be out of service at once ${or('1')}`).argParser(number(1)),
    new Option('--failures <n>', `nodes that may fail before the roll stops ${or('0')}`).argParser(number(0)),
    new Option(
      '--policy <policy>',
      `for instances that cannot be moved live: cold moves them stopped, leave lets them go down with the node, wait waits for an operator to move them, stop-roll stops ${or('wait')}`,
    ).choices(POLICIES),
    new Option('--boot-time <duration>', `how long a rebooted node may take until it is ready ${or('20m')}`).argParser(
      duration,
    ),
  ];
  for (const option of options) command.addOption(option);
  return command;
}

function statusCommand(): Command {
  return asking(new Command('status'))
    .description('show the newest roll, or one by its id')
    .argument('[id]', 'which roll', 'newest')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExits 1 if the roll stopped or was aborted, or a node failed.\n\nExample:\n  reveille roll status',
    )
    .action(async (id: string, flags: Shown) => {
      const { roll, pins, live } = await shownOrKept(flags, id);
      if (!live && !flags.json) console.error('No server is running; this is what the state last held.\n');
      if (flags.json) console.log(jsonText({ roll: rollJson(roll), pins, live }));
      else console.log([rollText(roll, Date.now()), ...pinLines(pins)].join('\n'));
      process.exitCode = hasGoneWrong(roll) ? 1 : 0;
    });
}

function abortCommand(): Command {
  return ofRoll(new Command('abort'))
    .description('begin no more nodes; those not yet rebooted go back into service')
    .addHelpText('after', '\nExample:\n  reveille roll abort')
    .action(async (id: string, flags: Shown) =>
      follow(await ask(flags, ABORT_ROLL, { params: { id } }), flags, hasFailedNodes),
    );
}

function resumeCommand(): Command {
  return withLimits(ofRoll(new Command('resume')), 'as the roll had it')
    .description('go on with a roll that stopped or was aborted; failed nodes are tried again')
    .addHelpText('after', '\nExample:\n  reveille roll resume --boot-time 30m')
    .action(async (id: string, flags: Limits & Shown) =>
      follow(await ask(flags, RESUME_ROLL, { params: { id }, body: limitsOf(flags) }), flags),
    );
}

function rollbackCommand(): Command {
  return withLimits(ofRoll(new Command('rollback')))
    .description(
      'take a roll back: its nodes return to the images they ran before, the same way, and stay pinned to them',
    )
    .addHelpText(
      'after',
      '\nThe next roll of a node takes its pin away.\n\nExample:\n  reveille roll rollback --failures 1',
    )
    .action(async (id: string, flags: Limits & Shown) =>
      follow(await ask(flags, ROLL_BACK, { params: { id }, body: limitsOf(flags) }), flags),
    );
}

function ofRoll(command: Command): Command {
  return asking(command.argument('[id]', 'which roll', 'newest')).addOption(jsonOption());
}

function limitsOf({ maxUnavailable, failures, policy, bootTime }: Limits): Partial<RollLimits> {
  return {
    ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    ...(failures === undefined ? {} : { failures }),
    ...(policy === undefined ? {} : { policy }),
    ...(bootTime === undefined ? {} : { bootMs: bootTime }),
  };
}

const LOOK_MS = 1000;
/** A server that is restarted is waited for. */
const PATIENCE_MS = 300_000;

/** Shows a roll until it has ended: a table that changes on a terminal, a line for each change elsewhere. */
async function follow(
  begun: Roll,
  flags: ServerFlags & { readonly json: boolean },
  isWrong: (roll: Roll) => boolean = hasGoneWrong,
): Promise<void> {
  const { json } = flags;
  const live = process.stdout.isTTY && !json;
  const print = live ? liveTable() : json ? () => {} : lines();
  let roll = begun;
  let answered = Date.now();
  if (!json) console.log(`roll ${roll.id}`);
  for (;;) {
    print(roll);
    if (!isActive(roll)) break;
    await after(LOOK_MS);
    try {
      roll = (await show(flags, roll.id)).roll;
      answered = Date.now();
    } catch (error) {
      if (!isAway(error) || Date.now() - answered > PATIENCE_MS) throw error;
    }
  }
  if (json) console.log(jsonText(rollJson(roll)));
  if (isWrong(roll)) process.exitCode = 1;
}

/** Not all of its nodes were renewed. */
function hasGoneWrong(roll: Roll): boolean {
  return roll.state === 'stopped' || roll.state === 'aborted' || hasFailedNodes(roll);
}

function hasFailedNodes({ nodes }: Roll): boolean {
  return nodes.some(({ phase }) => phase === 'failed');
}

async function show(server: ServerFlags, id: string): Promise<ShownRoll> {
  return await ask(server, SHOW_ROLL, { params: { id } });
}

/** What the running server says or, where none runs, what the state last held. */
async function shownOrKept(server: ServerFlags, id: string): Promise<ShownRoll & { readonly live: boolean }> {
  try {
    return { ...(await show(server, id)), live: true };
  } catch (error) {
    const kept =
      isAway(error) && server.server === undefined
        ? await askState(
            server.state,
            async (store) => ({ rolls: await store.rolls.rolls(), pins: await store.rolls.pins() }),
            undefined,
          )
        : undefined;
    const roll = id === 'newest' ? kept?.rolls.at(-1) : kept?.rolls.find((one) => one.id === id);
    if (kept === undefined || roll === undefined) throw error;
    return { roll, pins: Object.fromEntries(kept.pins), live: false };
  }
}

function isAway(error: unknown): boolean {
  return error instanceof ReveilleError && error.code === 'SERVER_UNREACHABLE';
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError('It is a duration, such as 90s or 20m.');
}

function number(least: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,5}$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`It is a whole number, ${least} or more.`);
  };
}
