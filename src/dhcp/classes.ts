import { type BytePattern, matches } from '../model/bytePattern.ts';
import { beginsWith } from '../model/macPrefix.ts';
import type { Conditions, SiteClass } from '../model/network.ts';
import { OPTION } from '../model/options.ts';
import { type Client, userClasses } from './client.ts';
import { read } from './optionSet.ts';
import type { DhcpPacket } from './packet.ts';
import { subOption } from './relay.ts';
import type { DhcpSite } from './site.ts';

/** The classes of the site that a client belongs to, in the site's order. Asked once for each request. */
export function classesOf(
  request: DhcpPacket,
  client: Client,
  { classes }: Pick<DhcpSite, 'classes'>,
): readonly SiteClass[] {
  if (classes.size === 0) return NONE;
  const members: SiteClass[] = [];
  for (const { site, tests } of matchersFor(classes)) if (holdAll(tests, request, client)) members.push(site);
  return members.length === 0 ? NONE : members;
}

const NONE: readonly SiteClass[] = [];
const NOTHING = new Uint8Array();

type Test = (request: DhcpPacket, client: Client) => boolean;
type Matcher = { readonly site: SiteClass; readonly tests: readonly Test[] };

function holdAll(tests: readonly Test[], request: DhcpPacket, client: Client): boolean {
  for (const test of tests) if (!test(request, client)) return false;
  return tests.length > 0;
}

/** What was made of a site's classes is kept for as long as they are. */
const MATCHERS = new WeakMap<DhcpSite['classes'], readonly Matcher[]>();

function matchersFor(classes: DhcpSite['classes']): readonly Matcher[] {
  let matchers = MATCHERS.get(classes);
  if (!matchers) {
    matchers = [...classes.values()].map((site) => ({ site, tests: testsOf(site.conditions) }));
    MATCHERS.set(classes, matchers);
  }
  return matchers;
}

function testsOf({ macs, arch, vendorClass, userClass, circuitId, remoteId }: Conditions): readonly Test[] {
  const tests: Test[] = [];
  if (macs) tests.push(macTest(macs));
  if (arch) tests.push(archTest(arch));
  if (vendorClass) {
    tests.push(({ options }) => matchesAny(vendorClass, options.get(OPTION.vendorClass.code)));
  }
  if (userClass) {
    tests.push(({ options }) =>
      userClasses(options.get(OPTION.userClass.code) ?? NOTHING).some((one) => matchesAny(userClass, one)),
    );
  }
  if (circuitId) tests.push(relayTest(circuitId, CIRCUIT_ID));
  if (remoteId) tests.push(relayTest(remoteId, REMOTE_ID));
  return tests;
}

/** Sub-options of option 82 (RFC 3046). */
export const CIRCUIT_ID = 1;
export const REMOTE_ID = 2;

function macTest(macs: NonNullable<Conditions['macs']>): Test {
  const whole = new Set(macs.filter(({ bits }) => bits === 48).map(({ mac }) => mac));
  const begins = macs.filter(({ bits }) => bits < 48).map(beginsWith);
  return ({ chaddr }) => whole.has(chaddr) || begins.some((begin) => begin(chaddr));
}

function archTest(arch: NonNullable<Conditions['arch']>): Test {
  return ({ options }, { firmware }) => {
    if (firmware !== 'unknown' && arch.includes(firmware)) return true;
    return read(options, OPTION.clientArch)?.some((type) => arch.includes(type)) ?? false;
  };
}

/** A switch that only adds the option and is no relay otherwise leaves giaddr empty: the option counts with and without. */
function relayTest(patterns: readonly BytePattern[], code: number): Test {
  return ({ options }) => matchesAny(patterns, subOption(options.get(OPTION.relayAgent.code) ?? NOTHING, code));
}

/** Some clients end a text with NULs, which are no part of it (RFC 2132 section 2). */
function matchesAny(patterns: readonly BytePattern[], bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined) return false;
  for (const pattern of patterns) if (matches(pattern, bytes)) return true;
  if (bytes.at(-1) !== 0) return false;
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  const text = bytes.subarray(0, end);
  return patterns.some((pattern) => matches(pattern, text));
}
