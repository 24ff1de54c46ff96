import type { AgentStep } from './agentStep.ts';
import type { FileFacts } from './bootFile.ts';
import type { CloudStanding, EarlierStanding } from './cloudStanding.ts';
import type { Ipv4 } from './ipv4.ts';
import type { Mac } from './mac.ts';
import type { LeaseEnd, RefusalCode } from './refusal.ts';
import type { NodeNote, Phase, RollNote, RollState } from './rollNote.ts';
import type { Trouble } from './trouble.ts';

/** Which software of the machine sends: it shows which stage a boot has reached. */
export type ClientStage = 'firmware' | 'ipxe' | 'os';

/** What a machine's request for an address says about it. Nothing of it is verified: text from the wire. */
export type Machine = {
  readonly hostname?: string;
  readonly vendorClass?: string;
  /** Numbers of option 93. */
  readonly architectures?: readonly number[];
  readonly firmware?: string;
  /** Option 97, its bytes in the order in which they came. */
  readonly uuid?: string;
  /** The port of a switch, by option 82 of the relay: as text, else in hex. */
  readonly circuitId?: string;
  readonly remoteId?: string;
};

/** What every DHCP message has in common: where it arrived, and its sender. */
type DhcpMessage = {
  readonly stage: ClientStage;
  readonly network?: string;
  /** The interface that it came through, or the address of the relay. */
  readonly via?: string;
  /** The name that the machine gives itself. */
  readonly hostname?: string;
  /** The MAC address is of a node that belongs to another network than those of this wire: another may be using it. */
  readonly wrongNetwork?: true;
};

/** What a client asks. */
type DhcpAsk = DhcpMessage & {
  /** The address that it asks for, and the server whose offer it takes. */
  readonly requested?: Ipv4;
  readonly chosen?: Ipv4;
  /** Of a machine that the site does not list: what it says of itself, and the classes of the site that it is in. */
  readonly machine?: Machine;
  readonly classes?: readonly string[];
  /** An ordinary user of some machine may have caused it: it did not come from a port of DHCP. */
  readonly unprivileged?: true;
};

/** What a client is given. */
type DhcpGift = DhcpMessage & {
  readonly ip: Ipv4;
  /** The loader, script or kernel that the answer names; absent where the client gets no boot file. */
  readonly bootFile?: string;
  /** Why firmware gets no boot file. */
  readonly reason?: string;
};

type DhcpEvent =
  | (DhcpAsk & { readonly kind: 'dhcp.discover' })
  | (DhcpAsk & { readonly kind: 'dhcp.request' })
  | (DhcpAsk & { readonly kind: 'dhcp.inform' })
  | (DhcpGift & { readonly kind: 'dhcp.offer' })
  /**
   * `informs`: it answers an INFORM and lends no address. `bootp`: it answers a client of BOOTP, which has its address for good, and
   * `unprivileged` is said of that client's request.
   */
  | (DhcpGift & {
      readonly kind: 'dhcp.ack';
      readonly informs?: true;
      readonly bootp?: true;
      readonly unprivileged?: true;
    })
  | (DhcpMessage & {
      readonly kind: 'dhcp.nak';
      readonly requested?: Ipv4;
      readonly code?: RefusalCode;
      readonly reason: string;
    })
  /** How a lease ended: `code` (absent in events of earlier releases), and in words. */
  | (DhcpMessage & {
      readonly kind: 'dhcp.decline';
      readonly ip: Ipv4;
      readonly code?: LeaseEnd;
      readonly reason: string;
    })
  | (DhcpMessage & {
      readonly kind: 'dhcp.release';
      readonly ip: Ipv4;
      readonly code?: LeaseEnd;
      readonly reason: string;
    });

/** A network that the server answers, and where: the interface (absent: only relays reach it) and its own address there. */
export type ServedAs = { readonly network: string; readonly interface?: string; readonly server?: Ipv4 };

type OtherEvent =
  /** A request that got no answer, and why: `code` (absent in events of earlier releases), and in words. `count`: how many alike there were since the last such event, this one the newest. */
  | {
      readonly kind: 'dhcp.refused';
      readonly code?: RefusalCode;
      readonly reason: string;
      readonly network?: string;
      readonly via?: string;
      readonly count?: number;
    }
  /** An option does not fit the `bytes` that a client takes, and was left out; reported once for each network and option. */
  | {
      readonly kind: 'dhcp.option-left';
      readonly network: string;
      readonly option: number;
      readonly name?: string;
      readonly bytes: number;
    }
  /** A client took another DHCP server's offer: a second server is on the wire. */
  | { readonly kind: 'dhcp.other-server'; readonly server: Ipv4; readonly network?: string }
  /** A node's MAC address asks on a network that is not the node's own: a machine moved, or another uses the address. */
  | { readonly kind: 'dhcp.wrong-network'; readonly network: string; readonly expected: string; readonly via?: string }
  /** A network of the site is not answered, and what lacks; `server` as it would be. */
  | (ServedAs & { readonly kind: 'network.lost'; readonly lacks: 'interface' | 'port' | 'address' })
  /** It is answered again. */
  | (ServedAs & { readonly kind: 'network.heard' })
  /** Packets that no codec could read, counted since the last such event (at most one a minute for each service). */
  | {
      readonly kind: 'packets.malformed';
      readonly service: 'dhcp' | 'tftp';
      readonly count: number;
      readonly sample: string;
    }
  | (FileFacts & {
      readonly kind: 'tftp.sent' | 'http.sent';
      readonly file: string;
      readonly bytes: number;
      readonly ms: number;
    })
  | { readonly kind: 'tftp.missing' | 'http.missing'; readonly file: string }
  /** Role and image are absent where it failed before a file was found. */
  | (Partial<FileFacts> & {
      readonly kind: 'tftp.failed' | 'http.failed';
      readonly file: string;
      readonly reason: string;
      readonly bytes: number;
    })
  /**
   * The agent on the node reports one of its steps: of the boot, or `during` a refresh of the running node, or what a
   * service says there later. `output` is the tail of what a failing command printed, or of a log.
   */
  | (AgentStep & {
      readonly kind: 'node.step';
      readonly status: 'started' | 'done' | 'failed';
      readonly during?: 'refresh' | 'service';
      readonly ms?: number;
      readonly detail?: string;
      readonly output?: string;
    })
  /** Whether the cloud has the node in service, or what is missing; an event when it changes. */
  | ((CloudStanding | EarlierStanding) & { readonly kind: 'cloud.standing' })
  /** How much a node's clock is ahead of the server's (behind: negative), milliseconds; 0 once it is right again. */
  | { readonly kind: 'node.clock'; readonly aheadMs: number }
  /** A roll took a node (or, without a node, itself) into another phase. */
  | {
      readonly kind: 'roll.step';
      readonly roll: string;
      readonly phase: Phase | RollState;
      readonly note: NodeNote | RollNote | null;
    }
  | { readonly kind: 'site.loaded'; readonly networks: number; readonly nodes: number }
  | { readonly kind: 'site.rejected'; readonly errors: readonly string[] }
  | { readonly kind: 'image.changed'; readonly image: string; readonly sha256: string }
  | { readonly kind: 'server.started'; readonly httpPort?: number; readonly serves?: readonly ServedAs[] }
  /** The operators' API is served on a port; `fingerprint` is that of its certificate (SHA-256, in hex), absent without TLS. */
  | { readonly kind: 'server.api'; readonly port: number; readonly fingerprint?: string }
  /**
   * Someone asked by the API for a change: with which token (`actor`; `socket` on the Unix socket), which operation with which `values` (JSON,
   * cut to 2,000 characters), from which address, and how it ended: `done`, or the code of the refusal.
   */
  | {
      readonly kind: 'audit.change';
      readonly actor: string;
      readonly role: string;
      readonly operation: string;
      readonly values: string;
      readonly from: string;
      readonly outcome: string;
    }
  /** Requests of the API from an address were refused, for their token or its role; counted since the last such event of the address. */
  | {
      readonly kind: 'audit.refused';
      readonly from: string;
      readonly code: string;
      readonly count: number;
      readonly actor?: string;
      readonly operation?: string;
    }
  /** An exception that no code expected was contained. `stack` comes with the first of its kind; `count` is how many there were. */
  | {
      readonly kind: 'server.fault';
      readonly service: string;
      readonly message: string;
      readonly count: number;
      readonly stack?: string;
    }
  /** A service was stopped after such an exception, and started anew. */
  | { readonly kind: 'server.restarted'; readonly service: string }
  /** The server's clock was set: how far, in milliseconds; negative: back. */
  | { readonly kind: 'server.clock'; readonly steppedMs: number }
  /** One sender caused more events than are kept of it; `count` of them are not. `subject`: a node's name, a MAC or an address. */
  | { readonly kind: 'events.limited'; readonly subject: string; readonly count: number }
  /** What went wrong with the server itself; nothing stopped for it. */
  | (Trouble & { readonly kind: 'server.trouble' });

/**
 * One thing seen. `at` is milliseconds since the epoch. `id` counts up in the order of events; the bus gives it. The machine's fields are
 * present where they are known.
 */
export type Event = {
  readonly at: number;
  readonly id?: number;
  readonly mac?: Mac;
  readonly node?: string;
  readonly ip?: Ipv4;
} & (DhcpEvent | OtherEvent);

/** An event before the bus has stamped it with the time and its id. */
export type Happening = Event extends infer E ? (E extends Event ? Omit<E, 'at' | 'id'> : never) : never;

/**
 * Where a server drops what it saw. It must not block and must not throw. `at`: when it was seen, in milliseconds since the epoch; now if
 * not given.
 */
export type EventSink = (happening: Happening, at?: number) => void;
