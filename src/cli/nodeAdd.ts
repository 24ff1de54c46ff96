import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { ReveilleError, wordsOf } from '../errors.ts';
import type { AnswerOf } from '../http/contracts/contract.ts';
import { ADD_NODE, REMOVE_NODE } from '../http/contracts/machines.ts';
import { readNodeTable } from '../import/nodeTable.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { parseAnyMac } from '../model/mac.ts';
import { plainLine } from '../plainText.ts';
import { type Added, addNodes } from '../site/addNodes.ts';
import { editSite } from '../site/edit.ts';
import { lineDiff } from '../site/lineDiff.ts';
import { type NodeText, removeNode } from '../site/nodeText.ts';
import { formedText } from '../textForm.ts';
import { ask, type ServerFlags } from './api.ts';
import { asking, jsonOption, siteOption } from './options.ts';
import { jsonText, paint } from './print.ts';

type Flags = ServerFlags & { readonly site: string; readonly dryRun: boolean; readonly json: boolean };
type AddFlags = Flags & {
  readonly mac: readonly string[];
  readonly ip?: string;
  readonly network?: string;
  readonly profile: readonly string[];
};

/** `reveille node add NAME`: puts a node, or a range of them, into site.yaml and keeps all that stands there. */
export function addCommand(): Command {
  return asking(new Command('add'))
    .description('add a node to site.yaml; comments, order and layout stay as they are')
    .argument('<name>', 'host name, or a range such as node[01-16]')
    .addOption(
      listOption(
        '--mac <address>',
        'MAC address in any spelling; of a range, 52:54:00:00:00:[01-10]',
      ).makeOptionMandatory(),
    )
    .addOption(addressOption())
    .addOption(networkOption())
    .addOption(listOption('--profile <name>', 'a profile'))
    .addOption(siteOption())
    .addOption(dryRunOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      [
        '\nExample:',
        '  reveille node add node17 --mac 52:54:00:00:00:61 --ip next --profile compute',
        '  reveille node add node[01-16] --mac 52:54:00:00:00:[01-10] --ip 10.0.0.[51-66] --profile compute',
      ].join('\n'),
    )
    .action(async (name: string, flags: AddFlags) => {
      if (flags.server !== undefined) {
        const { mac: macs, ip, network, profile: profiles, dryRun } = flags;
        const body = { name, macs, profiles, dryRun, ...(ip && { ip }), ...(network && { network }) };
        tellEdited('Added', await ask(flags, ADD_NODE, { body }), flags);
        return;
      }
      const node = {
        key: name,
        macs: flags.mac.map((mac) => parseAnyMac(mac) ?? mac),
        ...(flags.ip === undefined ? {} : { ip: flags.ip }),
        ...(flags.network === undefined ? {} : { network: flags.network }),
        profiles: flags.profile,
        vars: {},
      };
      tellAdded(await addNodes(flags.site, [node], flags), flags);
    });
}

/** `reveille node import FILE.csv`: puts the machines of a table into site.yaml, all or none. */
export function importCommand(): Command {
  return new Command('import')
    .description('add the machines of a CSV table to site.yaml: columns name, mac, ip, profiles, vars.NAME')
    .argument('<file>', 'the table; - for standard input')
    .addOption(networkOption())
    .addOption(listOption('--profile <name>', 'a profile that all of them get'))
    .addOption(siteOption())
    .addOption(dryRunOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille node import rack.csv --profile compute --dry-run')
    .action(async (file: string, flags: Flags & { readonly network?: string; readonly profile: readonly string[] }) => {
      const nodes = readNodeTable(file, await tableText(file)).map(({ name, macs, ip, profiles, vars, place }) => ({
        key: name,
        macs,
        ...(ip === undefined ? {} : { ip: ip === 'next' ? ip : formatIpv4(ip) }),
        ...(flags.network === undefined ? {} : { network: flags.network }),
        profiles: [...new Set([...flags.profile, ...profiles])],
        place,
        vars,
      }));
      tellAdded(await addNodes(flags.site, nodes, flags), flags);
    });
}

/** `reveille node remove NAME`: takes the entry of a node out of site.yaml. */
export function removeCommand(): Command {
  return asking(new Command('remove'))
    .description('take the entry of a node, or of a range, out of site.yaml')
    .argument('<name>', 'as it stands under nodes:')
    .addOption(siteOption())
    .addOption(dryRunOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille node remove node17 --dry-run')
    .action(async (name: string, flags: Flags) => {
      if (flags.server !== undefined) {
        const edited = await ask(flags, REMOVE_NODE, { params: { name }, body: { dryRun: flags.dryRun } });
        if (flags.json) console.log(jsonText({ removed: name, ...edited }));
        else console.log(flags.dryRun ? inColours(edited.diff) : `Removed ${name} from site.yaml.`);
        return;
      }
      const { before, after } = await editSite(flags.site, (text) => removeNode(text, name), flags);
      const diff = lineDiff('site.yaml', before, after);
      if (flags.json) console.log(jsonText({ removed: name, written: !flags.dryRun, diff }));
      else console.log(flags.dryRun ? inColours(diff) : `Removed ${name} from site.yaml.`);
    });
}

/** Says what was added, or with --dry-run what would be. */
export function tellAdded({ edit, entries }: Added, flags: Pick<Flags, 'dryRun' | 'json'>): void {
  const diff = lineDiff('site.yaml', edit.before, edit.after);
  if (flags.json) console.log(jsonText({ added: entries.map(plain), written: !flags.dryRun, diff }));
  else if (flags.dryRun) console.log(inColours(diff));
  else
    for (const { key, macs, ip } of entries) console.log(`Added ${key}: ${[ip, ...macs].filter(Boolean).join(', ')}`);
}

/** The same of what a server on another machine added. */
export function tellEdited(
  word: string,
  { nodes, written, diff }: AnswerOf<typeof ADD_NODE>,
  flags: Pick<Flags, 'dryRun' | 'json'>,
): void {
  if (flags.json) console.log(jsonText({ added: nodes, written, diff }));
  else if (flags.dryRun) console.log(inColours(diff));
  else
    for (const { name, macs, ip } of nodes)
      console.log(plainLine(`${word} ${name}: ${[ip, ...macs].filter(Boolean).join(', ')}`));
}

export function addressOption(): Option {
  return new Option('--ip <address>', 'address; of a range, 10.0.0.[51-66]; next: the next free one of the network');
}

export function networkOption(): Option {
  return new Option('--network <name>', 'network for --ip next; default: that of the nodes named alike');
}

export function dryRunOption(): Option {
  return new Option('-n, --dry-run', 'write nothing, show the difference').default(false);
}

/** An option that may be given several times. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, `${description}; may be repeated`)
    .default([], 'none')
    .argParser((value: string, before: readonly string[]) => [...before, value]);
}

function plain({ key, macs, ip, profiles, vars }: NodeText): object {
  return { name: key, macs, ip: ip ?? null, profiles, vars };
}

function inColours(diff: string): string {
  const lines = diff.trimEnd().split('\n');
  return lines
    .map((line) => (/^\+(?!\+)/.test(line) ? paint('green', line) : /^-(?!-)/.test(line) ? paint('red', line) : line))
    .join('\n');
}

async function tableText(file: string): Promise<string> {
  const start = { file, line: 1, col: 1 };
  const bytes = await readFile(file === '-' ? '/dev/stdin' : file).catch((cause) => {
    const why = `this table cannot be read: ${wordsOf(cause)}`;
    throw new ReveilleError('IMPORT_INVALID', why, { place: start, cause });
  });
  const form = formedText('table', bytes);
  if ('text' in form) return form.text;
  const { line, col, message, hint } = form.problem;
  throw new ReveilleError('IMPORT_INVALID', message, { place: { file, line, col }, hint });
}
