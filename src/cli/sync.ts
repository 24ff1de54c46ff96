import { Command, InvalidArgumentError, Option } from 'commander';
import { ReveilleError } from '../errors.ts';
import { SYNC } from '../http/contracts/files.ts';
import type { SyncResult } from '../node/sync.ts';
import { parseDuration } from '../site/duration.ts';
import { askLines, type ServerFlags } from './api.ts';
import { asking, jsonOption, nodesArgument } from './options.ts';
import { jsonText, paint } from './print.ts';
import { table } from './table.ts';

type Flags = ServerFlags & {
  readonly wait: boolean;
  readonly restore: boolean;
  readonly timeout?: number;
  readonly json: boolean;
};

/** How long nodes are waited for, unless the operator says otherwise; milliseconds. */
const PATIENCE_MS = 120_000;
const PATIENCE_FOR_ABSENT_MS = 900_000;

/** `reveille sync NODES`: running nodes apply what the site gives them now. */
export function syncCommand(): Command {
  return asking(new Command('sync'))
    .description('have running nodes fetch and apply their files at once')
    .addArgument(nodesArgument({ required: true }))
    .addOption(new Option('--wait', 'wait for nodes that are off or booting, instead of telling them').default(false))
    .addOption(new Option('--restore', 'also restore the files that were changed on the nodes').default(false))
    .addOption(
      new Option('--timeout <time>', 'give up after this time (default: 2m, with --wait 15m)').argParser(duration),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExits 1 if a node failed or could not be reached.\n\nExample:\n  reveille sync node[01-16]\n  reveille sync @compute --restore\n  reveille sync node07 --wait',
    )
    .action(async (set: string, flags: Flags) => {
      const results = await run(set, flags, flags.json ? () => {} : progress());
      if (flags.json) console.log(jsonText(results));
      else console.log(syncText(results));
      if (results.some(({ result }) => result !== 'done')) process.exitCode = 1;
    });
}

async function run(
  set: string,
  flags: Flags,
  onProgress: (done: number, of: number) => void,
): Promise<readonly SyncResult[]> {
  const timeoutMs = flags.timeout ?? (flags.wait ? PATIENCE_FOR_ABSENT_MS : PATIENCE_MS);
  const { wait, restore } = flags;
  let nodes: readonly string[] = [];
  const results = new Map<string, SyncResult>();
  try {
    for await (const line of askLines(flags, SYNC, { body: { nodes: set, wait, restore, timeoutMs } })) {
      if ('nodes' in line) nodes = line.nodes;
      else results.set(line.node, line);
      onProgress(results.size, nodes.length);
    }
  } catch (error) {
    // A server that ends in the middle leaves some without a result.
    if (nodes.length === 0 || !(error instanceof ReveilleError) || error.code !== 'SERVER_UNREACHABLE') throw error;
  }
  onProgress(0, 0);
  return nodes.map((node) => results.get(node) ?? { node, ...NO_ANSWER });
}

const NO_ANSWER = { result: 'no answer', changed: 0, removed: 0, ms: null, detail: 'the server ended' } as const;

/** On a terminal: one line that counts, wiped at the end. */
function progress(): (done: number, of: number) => void {
  if (!process.stderr.isTTY) return () => {};
  return (done, of) => process.stderr.write(of === 0 ? '\r\x1b[K' : `\r\x1b[K${done} of ${of} nodes`);
}

/** The results as a table, in the order of the nodes. */
export function syncText(results: readonly SyncResult[]): string {
  const rows = results.map(({ node, result, changed, removed, ms, detail }) => [
    node,
    result,
    ms === null ? '-' : String(changed),
    ms === null ? '-' : String(removed),
    ms === null ? '-' : String(ms),
    detail ?? '',
  ]);
  const [heading = '', ...lines] = table([['NODE', 'RESULT', 'CHANGED', 'REMOVED', 'MS', ''], ...rows]).split('\n');
  const coloured = lines.map((line, i) => {
    const result = results[i]?.result ?? 'done';
    return line.replace(`  ${result} `, `  ${paint(result === 'done' ? 'green' : 'red', result)} `);
  });
  return [paint('bold', heading), ...coloured].join('\n');
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1000) throw new InvalidArgumentError('It is a time such as 30s or 10m.');
  return ms;
}
