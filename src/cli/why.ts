import { join } from 'node:path';
import { Command } from 'commander';
import { ReveilleError } from '../errors.ts';
import type { LeaseShown } from '../http/contracts/leases.ts';
import { LIST_IMAGES } from '../http/contracts/machines.ts';
import { openShelf } from '../image/shelf.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { type Mac, parseAnyMac } from '../model/mac.ts';
import { vendorsOf } from '../net/vendors.ts';
import { plainLines } from '../plainText.ts';
import { namesOneNode, nodeTerms } from '../site/nodeSet.ts';
import { diagnose } from '../timeline/diagnose.ts';
import { diagnoseStranger, type SeenStranger, strangerState } from '../timeline/diagnoseStranger.ts';
import type { Status } from '../timeline/status.ts';
import { type DiagnosisText, diagnosisText, strangerText } from '../words/diagnosis.ts';
import { bootJson } from '../words/step.ts';
import { ask, type ServerFlags } from './api.ts';
import { leasesNow } from './lease.ts';
import { asking, jsonOption, nodesArgument, siteOption } from './options.ts';
import { jsonText } from './print.ts';
import { currentStatus, nodesNamed } from './status.ts';

type Flags = ServerFlags & { readonly site: string; readonly json?: boolean };
/** What `--json` prints of each machine; `node` is `null` for one that the site does not list. */
type Diagnosed = DiagnosisText & {
  readonly node: string | null;
  readonly state: string;
  readonly [more: string]: unknown;
};

/** `reveille why NODES`: how each node stands, in words, and what to look at next; the same of machines that the site does not list. */
export function whyCommand(): Command {
  return asking(new Command('why'))
    .description('say in words how a node stands, or a machine that is no node, and what to look at next')
    .addArgument(nodesArgument({ required: true }))
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  reveille why node01\n  reveille why @compute\n  reveille why 52:54:00:00:00:61',
    )
    .action(async (set: string, flags: Flags, command: Command) => {
      const { status } = await currentStatus(flags);
      const terms = nodeTerms(set);
      const unlisted = terms.filter((term) => isUnlisted(term, status));
      const listed = terms.filter((term) => !unlisted.includes(term));
      const diagnosed = [
        ...(listed.length === 0 ? [] : await aboutNodes(listed.join(','), status, flags)),
        ...(unlisted.length === 0 ? [] : await aboutStrangers(unlisted, status, flags, optionsOf(command))),
      ];
      if (flags.json) console.log(jsonText(namesOneNode(set) ? diagnosed[0] : diagnosed));
      else console.log(diagnosed.map(text).join('\n'));
    });
}

async function aboutNodes(set: string, status: Status, flags: Flags): Promise<readonly Diagnosed[]> {
  const isBuilt = await builtImages(flags);
  return Promise.all(
    nodesNamed(status, set).map(async (node) => {
      const built = node.image !== null && (await isBuilt(node.image));
      const diagnosis = diagnose(node, built, Date.now());
      const { code } = diagnosis.finding;
      return { node: node.name, state: node.state, code, ...diagnosisText(diagnosis), diagnosis };
    }),
  );
}

/** Tells whether an image is built: on the server's machine. */
async function builtImages(flags: Flags): Promise<(image: string) => Promise<boolean>> {
  if (flags.server !== undefined) {
    const built = new Set((await ask(flags, LIST_IMAGES, {})).map(({ name }) => name));
    return async (image) => built.has(image);
  }
  const shelf = openShelf(join(flags.state, 'images'));
  return async (image) => (await shelf.current(image)) !== undefined;
}

/** Whether a word names a machine, by its MAC address or by an address that it has, that the site does not list. */
function isUnlisted(term: string, { nodes, strangers }: Status): boolean {
  if (nodes.some(({ name, ip, lease }) => name === term || ip === term || lease?.ip === term)) return false;
  const mac = parseAnyMac(term);
  if (mac !== undefined) return nodes.every(({ macs }) => !macs.includes(mac));
  return strangers.some(({ ip }) => ip !== undefined && formatIpv4(ip) === term);
}

/** Throws NODE_UNKNOWN for a machine of which nothing is known. */
async function aboutStrangers(
  terms: readonly string[],
  { strangers }: Status,
  flags: Flags,
  options: string,
): Promise<readonly Diagnosed[]> {
  const now = Date.now();
  const leases = (await leasesNow(flags)).filter(({ state, expires }) => state === 'bound' && expires > now);
  const macs = terms.map((term) => macOf(term, leases, strangers));
  const vendors = vendorsOf(macs);
  return macs.map((mac) => {
    const stranger = strangers.find((one) => one.mac === mac);
    const lease = leases.find((one) => one.mac === mac);
    if (!stranger && !lease) {
      throw new ReveilleError(
        'NODE_UNKNOWN',
        `no node of the site has the MAC address ${mac}, and no request from it was seen`,
        {
          hint: `\`reveille node strangers --all\` lists machines that asked; \`reveille node add NAME --mac ${mac} --ip next${options}\` makes it a node.`,
        },
      );
    }
    const seen: SeenStranger = { mac, vendor: vendors.get(mac), stranger, lease };
    const diagnosis = diagnoseStranger(seen, now);
    const { messages = {}, classes = [], triedToBoot = false, firstSeen, lastSeen, boot } = stranger ?? {};
    return {
      node: null,
      mac,
      state: strangerState(seen),
      code: diagnosis.code,
      ...strangerText(diagnosis, options),
      diagnosis,
      triedToBoot,
      messages,
      classes,
      lease: lease ? { ip: lease.ip, network: lease.network, pool: lease.pool, expires: lease.expires } : null,
      network: stranger?.network ?? lease?.network ?? null,
      via: stranger?.via ?? null,
      firstSeen: firstSeen ?? null,
      lastSeen: lastSeen ?? null,
      boot: boot ? bootJson(boot) : null,
    };
  });
}

function macOf(term: string, leases: readonly LeaseShown[], strangers: Status['strangers']): Mac {
  const mac = parseAnyMac(term) ?? leases.find(({ ip }) => ip === term)?.mac;
  const last = strangers.find(({ ip }) => ip !== undefined && formatIpv4(ip) === term)?.mac;
  const found = mac ?? last;
  if (found === undefined) throw new ReveilleError('NODE_UNKNOWN', `no machine is known that has the address ${term}`);
  return found;
}

/** The folders that were given on the command line, as a command that follows needs them. */
function optionsOf(command: Command): string {
  const given = ['site', 'state'].filter((name) => command.getOptionValueSource(name) === 'cli');
  return given.map((name) => ` --${name} ${quotedWord(String(command.getOptionValue(name)))}`).join('');
}

function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function text({ summary, advice }: DiagnosisText): string {
  return plainLines([summary, ...advice.map((line) => `  ${line}`)].join('\n'));
}
