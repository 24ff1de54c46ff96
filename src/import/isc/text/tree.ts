import type { Place } from '../../../errors.ts';

// The syntax tree of dhcpd.conf. Names of kinds are the words of dhcpd.conf(5).

/** One item of a value: a text in quotes, or words joined by dots, colons and slashes as addresses and hex bytes are. */
export type Datum = {
  readonly kind: 'text' | 'words';
  readonly text: string;
  readonly place: Place;
  readonly escaped?: boolean;
};

/** A value as it stands: items apart by blanks, groups of them apart by commas. */
export type Data = readonly (readonly Datum[])[];

/** An option's name; `space` is `dhcp` unless it was written `SPACE.NAME`. */
export type OptionName = { readonly space: string; readonly name: string };

export type Expression = { readonly place: Place } & (
  | { readonly kind: 'text'; readonly text: string; readonly escaped?: boolean }
  /** `endsInColon`: the colon of `case 1:` was taken with it. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly endsInColon?: boolean }
  | { readonly kind: 'number'; readonly value: number; readonly endsInColon?: boolean }
  | { readonly kind: 'option'; readonly option: OptionName; readonly from: 'packet' | 'config' | 'exists' }
  /** `hardware`, `known`, `static`, `leased-address`, `null`, a variable's name and the like. */
  | { readonly kind: 'word'; readonly word: string }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Expression[] }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'binary'; readonly op: Operator; readonly left: Expression; readonly right: Expression }
);

export type Operator = 'and' | 'or' | '=' | '!=' | '~=' | '~~' | '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^';

/** A value that is either written down or computed for each client. */
export type Value = { readonly data: Data } | { readonly expression: Expression };

/** How an option's payload is made up. */
export type OptionType =
  | { readonly kind: 'integer'; readonly bits: 8 | 16 | 32; readonly signed: boolean }
  | { readonly kind: 'flag' | 'ip' | 'ip6' | 'text' | 'string' | 'domain' | 'domains' | 'nothing' }
  | { readonly kind: 'space'; readonly space: string }
  | { readonly kind: 'record'; readonly parts: readonly OptionType[] }
  | { readonly kind: 'array'; readonly of: OptionType };

export type Branch = { readonly condition?: Expression; readonly body: readonly Statement[] };
export type Case = { readonly is?: Expression; readonly body: readonly Statement[] };

export type Statement = { readonly place: Place } & (
  | { readonly kind: 'shared-network' | 'host' | 'class'; readonly name: string; readonly body: readonly Statement[] }
  | { readonly kind: 'group'; readonly name?: string; readonly body: readonly Statement[] }
  | { readonly kind: 'pool'; readonly body: readonly Statement[] }
  | { readonly kind: 'subnet'; readonly base: Datum; readonly netmask: Datum; readonly body: readonly Statement[] }
  | { readonly kind: 'subclass'; readonly of: string; readonly data: Expression; readonly body?: readonly Statement[] }
  /** What this program has no use for beyond telling of it: subnet6, failover peers, keys, zones. Nothing in it is read. */
  | { readonly kind: 'foreign'; readonly keyword: string; readonly name: string }
  | { readonly kind: 'permit'; readonly verb: 'allow' | 'deny' | 'ignore'; readonly what: Permitted }
  | { readonly kind: 'range'; readonly bootp: boolean; readonly first: Datum; readonly last: Datum }
  | { readonly kind: 'hardware'; readonly type: string; readonly address: Datum }
  | { readonly kind: 'option'; readonly option: OptionName; readonly how: Assigning; readonly value: Value }
  | {
      readonly kind: 'option-definition';
      readonly option: OptionName;
      readonly code: number;
      readonly type: OptionType;
    }
  | { readonly kind: 'option-space'; readonly space: string; readonly codeWidth: number; readonly lengthWidth: number }
  | { readonly kind: 'parameter'; readonly keyword: string; readonly value: Value }
  | { readonly kind: 'match'; readonly condition: boolean; readonly expression: Expression }
  | { readonly kind: 'spawn'; readonly expression: Expression }
  | { readonly kind: 'lease-limit'; readonly limit: Datum }
  | { readonly kind: 'authoritative'; readonly not: boolean }
  | { readonly kind: 'if'; readonly branches: readonly Branch[] }
  | { readonly kind: 'switch'; readonly on: Expression; readonly cases: readonly Case[] }
  | { readonly kind: 'on'; readonly events: readonly string[]; readonly body: readonly Statement[] }
  /** `set`, `unset`, `define`, `eval`, `log`, `execute`, `return`, `break`, `add`: what runs for each client. */
  | {
      readonly kind: 'action';
      readonly keyword: string;
      readonly words: string;
      readonly expressions: readonly Expression[];
      /** Of a function. */
      readonly body?: readonly Statement[];
    }
  /** A word of its own that is none of dhcpd.conf: dhcpd takes it and does nothing. */
  | { readonly kind: 'lone'; readonly word: string; readonly hint?: string }
);

export type Assigning = 'set' | 'append' | 'prepend' | 'supersede' | 'default';

/** Whom a permit list names. `flag` is any of those that only count outside pools: bootp, booting, declines ... */
export type Permitted =
  | { readonly kind: 'known' | 'unknown' | 'all' | 'dynamic-bootp' | 'authenticated' | 'unauthenticated' }
  | { readonly kind: 'members'; readonly of: string }
  | { readonly kind: 'after'; readonly when: string }
  | { readonly kind: 'flag'; readonly flag: string };

export type StatementOf<K extends Statement['kind']> = Extract<Statement, { readonly kind: K }>;
