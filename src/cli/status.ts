import { Command, Option } from 'commander';
import { formatPlace, ReveilleError } from '../errors.ts';
import { STATUS } from '../http/contracts/status.ts';
import type { BootStep } from '../model/bootStep.ts';
import { parseIpv4 } from '../model/ipv4.ts';
import type { FilesStatus } from '../model/nodeFiles.ts';
import { plainLine, plainLines } from '../plainText.ts';
import { foldNames } from '../site/foldNames.ts';
import { namesOneNode, selectNodes } from '../site/nodeSet.ts';
import type { NodeState, NodeStatus, Status } from '../timeline/status.ts';
import { parseBoot } from '../timeline/storedForm.ts';
import type { Stranger } from '../timeline/strangers.ts';
import { holdingText } from '../words/diagnosis.ts';
import { statusJson } from '../words/status.ts';
import { stepDetail, stepName } from '../words/step.ts';
import { count, formatMs, formatOff, shortenHashes } from '../words/units.ts';
import { ask, type ServerFlags } from './api.ts';
import { statusFromState } from './offline.ts';
import { asking, jsonOption, nodesArgument, siteOption } from './options.ts';
import { clock, jsonText, paint, STATE_COLOUR } from './print.ts';
import { table } from './table.ts';

type Flags = ServerFlags & { readonly site: string; readonly summary?: boolean; readonly json?: boolean };

/** `reveille status`: every node, its state and the last step of its newest boot. */
export function statusCommand(): Command {
  return asking(new Command('status'))
    .description('show every node: its address, its state, how its files stand and the last step of its newest boot')
    .addArgument(nodesArgument({ required: false, more: '; of one node, the steps of its newest boot' }))
    .addOption(new Option('-s, --summary', 'one line for each state, its nodes as ranges').default(false))
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  reveille status\n  reveille status node01\n  reveille status node[01-16]\n  reveille status --summary\n  reveille status --json | jq .bootUrl',
    )
    .action(async (set: string, flags: Flags) => {
      const { status, live } = await currentStatus(flags);
      if (status.refused) process.exitCode = 1;
      const shown = set === '' ? status : { ...status, nodes: nodesNamed(status, set), strangers: [] };
      if (flags.json) return console.log(jsonText({ ...statusJson(shown), live }));
      if (!live) console.error('No server is running; this is what the state last held.\n');
      const refused = refusedText(shown.refused);
      const [first] = shown.nodes;
      if (!flags.summary && (set === '' || !namesOneNode(set) || !first)) return console.log(rackText(shown));
      console.log(flags.summary || !first ? summaryText(shown) : bootText(first));
      if (refused !== undefined) console.log(`\n${refused}`);
    });
}

/** What the running server says or, where none runs, what the site and the state say. */
export async function currentStatus(flags: Flags): Promise<{ status: Status; live: boolean }> {
  try {
    return { status: await runningStatus(flags), live: true };
  } catch (error) {
    if (flags.server !== undefined || !(error instanceof ReveilleError) || error.code !== 'SERVER_UNREACHABLE')
      throw error;
    return { status: await statusFromState(flags.site, flags.state), live: false };
  }
}

/** What the running server says. Throws SERVER_UNREACHABLE where none runs. */
export async function runningStatus(server: string | ServerFlags): Promise<Status> {
  const { nodes, strangers, ...status } = await ask(server, STATUS, {});
  return {
    ...status,
    nodes: nodes.map(({ boot, ...node }) => ({ ...node, boot: parseBoot(boot) ?? null })),
    strangers: strangers.map(({ boot, ...stranger }) => {
      const seen = parseBoot(boot);
      return { ...stranger, ...(seen && { boot: seen }) };
    }),
  };
}

/** The nodes of a status that a set names. Throws NODE_UNKNOWN, NODE_SET_INVALID. */
export function nodesNamed(status: Status, set: string): readonly [NodeStatus, ...NodeStatus[]] {
  const nameable = status.nodes.map((node) => {
    const ip = parseIpv4(node.ip ?? node.lease?.ip ?? '');
    return { name: node.name, macs: node.macs, profiles: node.profiles, ...(ip === undefined ? {} : { ip }), node };
  });
  const [first, ...rest] = selectNodes(nameable, set);
  return [first.node, ...rest.map(({ node }) => node)];
}

/** The node of that name in a status. Throws NODE_UNKNOWN. */
export function nodeNamed(status: Status, name: string): NodeStatus {
  return nodesNamed(status, name)[0];
}

function bootWords({ image, entry, bootFile }: NodeStatus): string {
  if (bootFile !== undefined) return `file: ${bootFile}`;
  return image ?? (entry === null ? '-' : `menu: ${entry}`);
}

/** The states and how many nodes are in each, which are named in ranges: `ready  63  node[01-06,08-64]`. */
export function summaryText(status: Status): string {
  const rows = [...Map.groupBy(status.nodes, ({ state }) => state)].map(([state, nodes]) => ({
    state,
    cells: [stateWord(state), String(nodes.length), foldNames(nodes.map(({ name }) => name)).join(',')],
  }));
  const [heading = '', ...lines] = table([['STATE', 'COUNT', 'NODES'], ...rows.map(({ cells }) => cells)]).split('\n');
  const coloured = lines.map((line, i) => {
    const state = rows[i]?.state ?? 'unseen';
    return line.replace(stateWord(state), paint(STATE_COLOUR[state], stateWord(state)));
  });
  return [paint('bold', heading), ...coloured].join('\n');
}

/** The table of all nodes and, below it, the strangers. */
export function rackText(status: Status): string {
  const rows = status.nodes.map((node) => {
    const last = node.boot?.steps.at(-1);
    const took = node.boot ? formatMs(node.boot.updatedAt - node.boot.startedAt) : '';
    return [
      node.name,
      node.ip ?? node.lease?.ip ?? '-',
      node.mac,
      bootWords(node),
      stateWord(node.state),
      filesText(node.files),
      took,
      [last ? stepText(last) : node.state === 'addressed' ? 'has not asked to boot' : '', clockText(node)]
        .filter((text) => text !== '')
        .join('; '),
    ];
  });
  const text = table([['NODE', 'ADDRESS', 'MAC', 'IMAGE', 'STATE', 'FILES', 'TOOK', 'LAST STEP'], ...rows]);
  const [heading, ...lines] = text.split('\n');
  const coloured = lines.map((line, i) => {
    const state = status.nodes[i]?.state ?? 'unseen';
    return line.replace(`  ${stateWord(state)} `, `  ${paint(STATE_COLOUR[state], stateWord(state))} `);
  });
  const below = [strangersLine(status.strangers), refusedText(status.refused), apiLine(status.api)].filter(
    (part) => part !== undefined,
  );
  return [paint('bold', heading ?? ''), ...coloured, ...below.flatMap((part) => ['', part])].join('\n');
}

/** Which edit of the site the server refused, and what it serves instead; nothing where the site is served as it is. */
export function refusedText(refused: Status['refused']): string | undefined {
  const first = refused?.findings[0];
  if (!refused || !first) return undefined;
  const others = refused.findings.length === 1 ? '' : ` (and ${refused.findings.length - 1} more)`;
  const since = clock(refused.servingSince).slice(0, 'hh:mm:ss'.length);
  const text = `${formatPlace(first.place)} is refused: ${first.message}${others}; serving the version of ${since}`;
  return `${paint('red', plainLine(text))}\n  reveille check names all that is wrong`;
}

/** `API on port 8443, certificate sha256:ab12…`, or nothing. */
export function apiLine(api: Status['api']): string | undefined {
  if (api === undefined) return undefined;
  return `API on port ${api.port}, ${api.fingerprint === undefined ? 'without TLS' : `certificate sha256:${api.fingerprint}`}`;
}

/** `3 unknown machines tried to boot (reveille node strangers)`, or nothing. */
export function strangersLine(strangers: readonly Stranger[]): string | undefined {
  const tried = strangers.filter(({ triedToBoot }) => triedToBoot).length;
  return tried === 0 ? undefined : `${count(tried, 'unknown machine')} tried to boot (reveille node strangers)`;
}

/** The steps of a node's newest boot, each with the time since the boot's start and its own length. */
export function bootText(node: NodeStatus): string {
  const files = node.files ? `  files: ${filesText(node.files)}` : '';
  const title = `${node.name}  ${paint(STATE_COLOUR[node.state], stateWord(node.state))}${files}`;
  if (!node.boot) {
    const address = node.lease
      ? `  it has ${holdingText({ lease: node.lease, leftMs: node.lease.expires - Date.now() })}\n`
      : '';
    return `${title}\n${address}  no boot has been seen`;
  }
  const { startedAt, steps, clockAheadMs } = node.boot;
  const clock = clockAheadMs === undefined ? '' : `\n  its clock is ${formatOff(clockAheadMs)} the server's`;
  const rows = steps.map((step) => [
    `  +${((step.at - startedAt) / 1000).toFixed(1)} s`,
    step.status === 'done' ? 'ok' : step.status,
    stepName(step),
    step.ms === undefined ? '' : formatMs(step.ms),
    shortenHashes(stepDetail(step) ?? ''),
  ]);
  const output = steps.flatMap((step) =>
    step.output
      ? [
          '',
          `  what ${stepName(step)} printed last:`,
          ...plainLines(step.output)
            .trimEnd()
            .split('\n')
            .map((line) => `    ${line}`),
        ]
      : [],
  );
  return [`${title}${clock}`, table([['  AT', '', 'STEP', 'TOOK', ''], ...rows]), ...output].join('\n');
}

/** A state as people read it. */
function stateWord(state: NodeState): string {
  return state === 'addressed' ? 'has address' : state;
}

/** How a node's files stand, in a word or two. */
function filesText(files: FilesStatus | null): string {
  if (!files) return '-';
  const drift = files.drifted === 0 ? '' : `drift ${files.drifted}`;
  const main = files.state === 'drift' ? '' : files.state === 'unknown' && drift !== '' ? '' : files.state;
  return [main, drift].filter((word) => word !== '').join(', ');
}

function clockText({ boot }: NodeStatus): string {
  return boot?.clockAheadMs === undefined ? '' : `clock off by ${formatMs(Math.abs(boot.clockAheadMs))}`;
}

function stepText(step: BootStep): string {
  const words = step.status === 'done' ? stepName(step) : `${stepName(step)} ${step.status}`;
  const detail = stepDetail(step);
  return step.status === 'failed' && detail ? `${words}: ${detail}` : words;
}
