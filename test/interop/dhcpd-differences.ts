import type { Difference, Meant } from './parity.rig.ts';

/** The configuration in which dhcpd is not told that the subnets are its own. */
export const NOT_AUTHORITATIVE = 'a rack and a LAN on one wire';

const field =
  (...names: string[]) =>
  ({ field }: Difference) =>
    names.includes(field);
const added =
  (...codes: number[]) =>
  ({ field, theirs }: Difference) =>
    theirs === 'absent' && codes.some((code) => field === `option ${code}`);

const isAddress = field('yiaddr', 'sent to');
/** The pools in which several addresses are free. */
const POOLS = [/^192\.168\.0\.1[1-5]\d(:68)?$/, /^10\.0\.0\.1[0-3]\d(:68)?$/];
/** A young lease is told with what is left of it. */
const isJustShorter = (theirs: number, ours: number): boolean => theirs < ours && theirs > ours - 30;
const silentNak =
  (step: RegExp) =>
  (difference: Difference): boolean =>
    step.test(difference.step) && difference.theirs === 'none' && difference.ours === 'nak';

export const MEANT: readonly Meant[] = [
  {
    what: 'Renewal and rebinding times (options 58, 59)',
    theirs: 'sent only where configured',
    ours: 'always: half, and seven eighths, of the lease',
    why: 'these are what RFC 2131 has clients take without them, and some clients show the values that they got',
    is: added(58, 59),
  },
  {
    what: 'Broadcast address (option 28)',
    theirs: 'sent only where configured',
    ours: "the subnet's last address unless configured",
    why: 'it follows from the subnet',
    is: added(28),
  },
  {
    what: 'Host name (option 12)',
    theirs: 'sent only where configured',
    ours: 'the name of the node',
    why: 'a node has a name; dhcpd has `use-host-decl-names` for the same',
    is: added(12),
  },
  {
    what: 'Client identifier (option 61)',
    theirs: 'not repeated unless `echo-client-id` says so',
    ours: 'repeated',
    why: 'RFC 6842 asks for it',
    is: added(61),
  },
  {
    what: 'Machine identifier (option 97)',
    theirs: 'not repeated',
    ours: 'repeated',
    why: 'RFC 4578 asks for it',
    is: added(97),
  },
  {
    what: 'Boot server and file for firmware, loaders and clients that ask for them (sname, options 66 and 67)',
    theirs: 'the file in its field alone',
    ours: 'in the options too, and the server in words',
    why: 'some firmware reads one place, some the other; without sname some look for a boot server on port 4011',
    is: (difference) => added(66, 67)(difference) || (difference.field === 'sname' && difference.theirs === ''),
  },
  {
    what: 'Words of PXE and iPXE (options 43, 60, 175) to clients that speak them',
    theirs: 'sent only where configured',
    ours: 'to those that get a boot file',
    why: 'firmware otherwise waits for a proxy or a boot server that is not there',
    is: added(43, 60, 175),
  },
  {
    what: 'Lease of firmware and loaders from a pool',
    theirs: 'like any other',
    ours: 'two minutes at most',
    why: 'a boot goes through several programs; their addresses are soon free again',
    is: ({ field, ours }) => field === 'option 51' && ours === '00000078',
  },
  {
    what: 'Seconds since the client began, and relays passed (secs, hops)',
    theirs: 'repeated',
    ours: 'zero',
    why: 'RFC 2131 table 3',
    is: field('secs', 'hops'),
  },
  {
    what: 'Server identifier (option 54) where the wire carries several subnets',
    theirs: "the interface's first address",
    ours: "the server's address in the client's subnet",
    why: 'the client reaches it without a router',
    is: ({ field, theirs }) => field === 'option 54' && theirs !== 'absent',
  },
  {
    what: 'Reason of a refusal (option 56)',
    theirs: 'in its words',
    ours: 'in ours',
    why: 'it is for people',
    is: ({ field, answer }) => field === 'option 56' && answer === 'nak',
  },
  {
    what: 'Broadcast flag of a refusal',
    theirs: 'always set',
    ours: "the client's own, and set for relays",
    why: 'RFC 2131 section 4.3.2; it is broadcast all the same',
    is: ({ field, answer }) => field === 'flags' && answer === 'nak',
  },
  {
    what: 'A server that is not `authoritative`',
    theirs: 'stays silent where it would refuse, and to INFORM',
    ours: 'refuses and answers',
    why: 'a network that the site declares is its own',
    is: ({ configuration, field, theirs, ours }) =>
      configuration === NOT_AUTHORITATIVE && field === 'answer' && theirs === 'none' && ours !== 'none',
  },
  {
    what: 'INFORM that comes through a relay and says an address',
    theirs: 'answered to that address, past the relay',
    ours: 'answered through the relay, by broadcast, as one without an address is by both',
    why: 'the relay is the way that the client has used',
    is: ({ step, field }) => / INFORM from /.test(step) && (field === 'sent to' || field === 'flags'),
  },
  {
    what: 'More options than a small message holds, in the answer to INFORM',
    theirs: 'left out',
    ours: 'in the fields for names (option 52), as in other answers',
    why: 'the client asks for options and nothing else',
    is: ({ step, theirs }) => /takes what every client takes: INFORM/.test(step) && theirs === 'absent',
  },
  {
    what: "A request for another machine's own address, or for one outside the pools",
    theirs: 'silent',
    ours: 'refuses',
    why: 'the client begins anew at once instead of waiting',
    is: silentNak(/(REQUEST|REBOOT|REBIND) of 10\.0\.0\.(77|82)\b/),
  },
  {
    what: 'A renewal of an address of no network here',
    theirs: 'silent until the lease ends',
    ours: 'refuses',
    why: 'the client cannot be reached at that address; it gets one of its wire at once',
    is: silentNak(/REBIND of 192\.168\.9\.9/),
  },
  {
    what: 'A machine without any record that comes back for a free address of a pool (INIT-REBOOT)',
    theirs: 'gives it',
    ours: 'silent; the machine asks anew, naming the address, and is given it',
    why: 'RFC 2131 section 4.3.2: another server may have given it',
    is: ({ step, theirs, ours }) => /INIT-REBOOT of/.test(step) && theirs === 'ack' && ours === 'none',
  },
  {
    what: "A REQUEST that takes another server's offer",
    theirs: 'answers it where the address is free',
    ours: 'silent, and an event names the second server on the wire',
    why: 'the client has decided',
    is: ({ step, theirs, ours }) => / from 192\.168\.0\.77$/.test(step) && theirs === 'ack' && ours === 'none',
  },
  {
    what: 'A wish for another lease time while a lease is young (`dhcp-cache-threshold`)',
    theirs: 'the lease as it is',
    ours: 'the wish, within the bounds',
    why: 'each answer follows from the site alone',
    is: ({ step, field, theirs, ours }) =>
      field === 'option 51' &&
      (step.startsWith('another stranger: DISCOVER with 51=') ||
        isJustShorter(Number(`0x${theirs}`), Number(`0x${ours}`))),
  },
  {
    what: 'An endless lease',
    theirs: 'ends in 2038, where its clock does',
    ours: 'endless',
    why: 'RFC 2131 section 3.3',
    is: ({ field, ours }) => field === 'option 51' && ours === 'ffffffff',
  },
  {
    what: 'A machine that has a lease and asks for another address in DISCOVER',
    theirs: 'is offered what it asks for',
    ours: 'is offered what it has',
    why: 'RFC 2131 section 4.3.1',
    is: (difference) => isAddress(difference) && /DISCOVER with 50=/.test(difference.step),
  },
  {
    what: 'One network card with several client identifiers',
    theirs: 'a lease for each',
    ours: 'one lease',
    why: 'firmware, loader and system each have their own; a boot would use up the pool',
    is: (difference) => isAddress(difference) && difference.step.startsWith('the same with another'),
  },
  {
    what: 'Which free address of a pool a new machine is given, and one that gave its address back',
    theirs: 'the one that was free for longest',
    ours: 'its last one; else the lowest that was never used',
    why: 'a machine that comes back is known by its address',
    is: (difference) =>
      isAddress(difference) && POOLS.some((pool) => pool.test(difference.theirs) && pool.test(difference.ours)),
  },
  {
    what: 'BOOTP clients without an address of their own',
    theirs: 'answered where they have a lease already, or a pool is for them (`dynamic-bootp`)',
    ours: 'not answered',
    why: 'they know no leases: the address would be theirs for ever',
    is: ({ theirs }) => theirs === 'BOOTP reply',
  },
];
