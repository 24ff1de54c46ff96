import { z } from 'zod';
import { agentStep } from '../model/agentStep.ts';
import type { FileFacts } from '../model/bootFile.ts';
import type { BootStep, StepCode } from '../model/bootStep.ts';
import type { EarlierStanding } from '../model/cloudStanding.ts';
import type { Event } from '../model/event.ts';
import { parseMac } from '../model/mac.ts';
import { earlierNote } from '../model/rollNote.ts';
import type { Boot } from './boots.ts';
import type { Stranger } from './strangers.ts';

// Records of earlier releases have fields that this one does not know, and lack others: checked here is what each release
// wrote and the program relies on.

const TIME = z.number();
const MAC = z.string().refine((text) => parseMac(text) === text);

const EVENT = z.looseObject({
  kind: z.string().regex(/^[a-z]+(?:[.-][a-z]+)+$/),
  at: TIME,
  node: z.string().optional(),
  mac: MAC.optional(),
  ip: z.int().min(0).max(0xffffffff).optional(),
});

const BOOT = z.looseObject({
  startedAt: TIME,
  updatedAt: TIME,
  state: z.enum(['booting', 'ready', 'failed']),
  steps: z.array(z.looseObject({ at: TIME, status: z.enum(['running', 'done', 'failed']) })),
  clockAheadMs: z.number().optional(),
});

const STRANGER = z.looseObject({
  mac: MAC,
  firstSeen: TIME,
  lastSeen: TIME,
  count: z.number(),
  messages: z.record(z.string(), z.number()).optional(),
  triedToBoot: z.boolean(),
  machine: z.looseObject({}),
  classes: z.array(z.string()).optional(),
  boot: BOOT.optional(),
});

/** An event of the state, the value of its JSON, in the form of this release; `undefined` if it is none. */
export function parseEvent(value: unknown): Event | undefined {
  return EVENT.safeParse(value).success ? currentEvent(value as Fields) : undefined;
}

/** The same for a boot. */
export function parseBoot(value: unknown): Boot | undefined {
  return BOOT.safeParse(value).success ? currentBoot(value as Boot) : undefined;
}

/** The same for a machine that the site does not list. */
export function parseStranger(value: unknown): Stranger | undefined {
  if (!STRANGER.safeParse(value).success) return undefined;
  const stranger = value as Stranger;
  return stranger.boot === undefined ? stranger : { ...stranger, boot: currentBoot(stranger.boot) };
}

/**
 * Earlier releases stored names and words where codes and values are now: files without their role in a boot, steps of the agent by
 * name, the cloud's standing in words.
 */
function currentEvent(event: Fields): Event {
  switch (event.kind) {
    case 'tftp.sent':
    case 'http.sent':
    case 'tftp.failed':
    case 'http.failed':
      return (event.role === undefined ? { ...event, ...factsByName(textOf(event.file)) } : event) as Event;
    case 'node.step': {
      const { step, ...rest } = event;
      return (typeof step === 'string' ? { ...rest, ...agentStep(step) } : event) as Event;
    }
    case 'cloud.standing': {
      const { words, hint, ...rest } = event;
      return (typeof words === 'string' ? { ...rest, earlier: earlierWords(words, hint) } : event) as Event;
    }
    case 'roll.step': {
      const { words, ...rest } = event;
      return (rest.note === undefined ? { ...rest, note: earlierNote(textOf(words)) } : event) as Event;
    }
    default:
      return event as Event;
  }
}

/** Steps of earlier releases have names in place of codes. */
function currentBoot(boot: Boot): Boot {
  const isCurrent = boot.steps.every(({ code }) => code !== undefined);
  return isCurrent ? boot : { ...boot, steps: boot.steps.map(currentStep) };
}

type Fields = { readonly [name: string]: unknown };

/** What steps that are no file's and no agent's are called in boots of earlier releases. */
const CODES: { readonly [name: string]: StepCode } = {
  'firmware asks': 'firmware-asks',
  'iPXE asks': 'ipxe-asks',
  'system asks': 'system-asks',
  'system has its address': 'system-address',
  'another DHCP server answered': 'other-server',
  'address refused': 'address-refused',
  address: 'address',
  loader: 'loader',
  script: 'script',
  kernel: 'kernel',
  initrd: 'initrd',
  file: 'file',
  'in service': 'in-service',
};

function currentStep(value: BootStep): BootStep {
  const { name, hint, ...step } = value as BootStep & Fields;
  if (typeof name !== 'string') return value;
  const code = Object.hasOwn(CODES, name) ? CODES[name] : undefined;
  if (code === 'in-service') {
    const { detail, ...rest } = step;
    const standing = {
      standing: step.status === 'done' ? 'in-service' : 'unknown',
      earlier: earlierWords(detail, hint),
    } as const satisfies EarlierStanding;
    return { ...rest, code, standing } as BootStep;
  }
  const { image } = factsByName('file' in step ? textOf(step.file) : '');
  return { ...step, ...(code === undefined ? agentStep(name) : { code }), ...(image && { image }) } as BootStep;
}

function earlierWords(words: unknown, hint: unknown): EarlierStanding['earlier'] {
  return { words: textOf(words), ...(typeof hint === 'string' ? { hint } : {}) };
}

/** The role of a file in a boot by the names that earlier releases gave files. */
function factsByName(file: string): FileFacts {
  const [, image, name = ''] = /(?:^|\/)images\/([0-9a-f]{64})\/(vmlinuz|initrd|root\.squashfs)$/.exec(file) ?? [];
  if (image !== undefined)
    return { role: name === 'vmlinuz' ? 'kernel' : name === 'initrd' ? 'initrd' : 'root', image };
  if (/(^|\/)ipxe\/[0-9a-f:-]{17}$/i.test(file) || file.includes('pxelinux.cfg/')) return { role: 'script' };
  return { role: /(\.c32|\.kpxe|\.efi|pxelinux\.0)$/.test(file) ? 'loader' : 'file' };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
