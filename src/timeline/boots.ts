import type { Event } from '../model/event.ts';
import { formatBytes } from '../words/units.ts';

/** One thing that a boot achieved or failed at. `ms` is how long the step itself took, where that is known. */
export type BootStep = {
  readonly at: number;
  readonly name: string;
  readonly status: 'running' | 'done' | 'failed';
  readonly ms?: number;
  readonly detail?: string;
  /** The file that was sent. */
  readonly file?: string;
  /** The tail of what a failing command printed. */
  readonly output?: string;
  /** What the operator may do, where whoever told the step knows. */
  readonly hint?: string;
};

/** One attempt of one node, from its first DISCOVER to `ready`. Times are milliseconds since the epoch. */
export type Boot = {
  readonly startedAt: number;
  readonly updatedAt: number;
  readonly state: 'booting' | 'ready' | 'failed';
  readonly steps: readonly BootStep[];
  /** How much the node's clock is ahead of the server's (behind: negative), milliseconds; absent where it is right. */
  readonly clockAheadMs?: number;
};

/** A boot whose machine asks again from its firmware within this time, with nothing fetched yet, is the same attempt. */
const SAME_ATTEMPT_MS = 120_000;
/** A machine that loops, or that its cloud loses and finds again, must not make a boot grow without end. */
const MOST_STEPS = 200;
/** Of a boot that is full the first steps stay, and of the others the newest. */
const FIRST_STEPS = 100;
/** Text that the steps of a boot hold together, in UTF-16 code units: ten failures with all that their commands printed. */
const MOST_TEXT = 100_000;

/**
 * The boot after one more event of its node: the same boot with a step more, a new boot, or the boot as it was where the
 * event says nothing about booting. `undefined` stands for a machine that has not booted.
 */
export function advance(boot: Boot | undefined, event: Event): Boot | undefined {
  // A machine on another network that has the node's MAC address is not the node.
  if ('wrongNetwork' in event && event.wrongNetwork) return boot;
  // What a running node does to its files is no part of its boot; what a service that it started says is.
  if (event.kind === 'node.step' && event.during === 'refresh') return boot;
  if (event.kind === 'node.step' && event.during === 'service') return boot && withWords(boot, event);
  if (event.kind === 'node.clock' && boot) {
    const { clockAheadMs: _, ...rest } = boot;
    return event.aheadMs === 0 ? rest : { ...rest, clockAheadMs: event.aheadMs };
  }
  if (event.kind === 'dhcp.discover' && startsBoot(boot, event.stage, event.at)) {
    const step: BootStep = { at: event.at, name: stageName(event.stage), status: 'done' };
    return { startedAt: event.at, updatedAt: event.at, state: 'booting', steps: [step] };
  }
  if (event.kind === 'node.step' && boot?.state !== 'booting' && event.step === 'agent' && event.status === 'started') {
    return { startedAt: event.at, updatedAt: event.at, state: 'booting', steps: [agentStep(event)] };
  }
  if (!boot) return undefined;
  const step = stepOf(event);
  if (!step) return boot;
  return {
    ...boot,
    // The cloud speaks of the node for as long as it runs; the boot itself is over by then.
    updatedAt: event.kind === 'cloud.standing' ? boot.updatedAt : event.at,
    state: stateAfter(boot, event),
    steps: withinText(withStep(boot.steps, step)),
  };
}

/**
 * Firmware that asks is a machine that was just switched on, unless it is only asking again. iPXE asks after the
 * firmware that loaded it, or first where the network card carries iPXE itself. An operating system that asks is neither.
 */
function startsBoot(boot: Boot | undefined, stage: 'firmware' | 'ipxe' | 'os', at: number): boolean {
  if (stage === 'os') return false;
  if (boot?.state !== 'booting') return true;
  const early = boot.steps.every((step) => EARLY.has(step.name));
  if (stage === 'ipxe') return !early;
  return !early || at - boot.updatedAt > SAME_ATTEMPT_MS;
}

/** The last milestone of a node that belongs to a cloud. */
export const IN_SERVICE = 'in service';
const READY = 'ready';
const FIRMWARE_ASKS = 'firmware asks';
const IPXE_ASKS = 'iPXE asks';
const EARLY: ReadonlySet<string> = new Set([FIRMWARE_ASKS, IPXE_ASKS, 'address', 'loader']);

function stageName(stage: 'firmware' | 'ipxe' | 'os'): string {
  return stage === 'firmware' ? FIRMWARE_ASKS : stage === 'ipxe' ? IPXE_ASKS : 'system asks';
}

/**
 * The steps whose last word is that they failed, the first of them first. `ready` fails because others did, and stands for
 * itself only where none is known.
 */
export function failedSteps(steps: readonly BootStep[]): readonly BootStep[] {
  const last = new Map(steps.map((step) => [step.name, step]));
  const failed = [...last.values()].filter(({ status }) => status === 'failed');
  const causes = failed.filter(({ name }) => name !== READY);
  return causes.length > 0 ? causes : failed;
}

/** Whether nothing failed but services at their start. systemd goes on trying those, so they may come yet. */
export function failedByServices({ state, steps }: Boot): boolean {
  const failed = failedSteps(steps);
  return state === 'failed' && failed.length > 0 && failed.every(({ name }) => name.startsWith('service '));
}

function stateAfter(boot: Boot, event: Event): Boot['state'] {
  if (event.kind === 'cloud.standing' && event.standing === 'in-service' && failedByServices(boot)) return 'ready';
  if (event.kind !== 'node.step') return boot.state;
  if (event.status === 'failed') return 'failed';
  // The agent says so only where nothing failed for good; a file mended meanwhile may have failed before.
  if (event.step === READY && event.status === 'done') return 'ready';
  return boot.state;
}

function stepOf(event: Event): BootStep | undefined {
  const { at } = event;
  switch (event.kind) {
    case 'dhcp.discover':
      return { at, name: stageName(event.stage), status: 'done' };
    case 'dhcp.ack':
      return event.stage === 'os'
        ? { at, name: 'system has its address', status: 'done' }
        : { at, name: 'address', status: 'done', ...(event.bootFile ? { detail: `boots ${event.bootFile}` } : {}) };
    case 'dhcp.nak':
      return { at, name: 'address refused', status: 'failed', ...(event.reason ? { detail: event.reason } : {}) };
    case 'dhcp.other-server':
      return { at, name: 'another DHCP server answered', status: 'failed' };
    case 'tftp.sent':
    case 'http.sent':
      return {
        at,
        name: fileStep(event.file),
        status: 'done',
        ms: event.ms,
        file: event.file,
        detail: `${event.file}, ${formatBytes(event.bytes)}`,
      };
    case 'tftp.failed':
    case 'http.failed':
      return { at, name: fileStep(event.file), status: 'failed', detail: `${event.file}: ${event.reason}` };
    case 'node.step':
      return agentStep(event);
    case 'cloud.standing':
      return {
        at,
        name: IN_SERVICE,
        status: event.standing === 'in-service' ? 'done' : 'running',
        detail: event.words,
        ...(event.hint === undefined ? {} : { hint: event.hint }),
      };
    default:
      return undefined;
  }
}

/** What a file is to a boot, by its name in the layout of `boot/files`. */
function fileStep(file: string): string {
  if (/(^|\/)images\/[0-9a-f]{64}\/vmlinuz$/.test(file)) return 'kernel';
  if (/(^|\/)images\/[0-9a-f]{64}\/initrd$/.test(file)) return 'initrd';
  // The first initrd reports under the same name how far it is.
  if (/(^|\/)images\/[0-9a-f]{64}\/root\.squashfs$/.test(file)) return 'root';
  if (/(^|\/)ipxe\/[0-9a-f:-]{17}$/i.test(file)) return 'script';
  if (file.includes('pxelinux.cfg/')) return 'script';
  if (/(\.c32|\.kpxe|\.efi|pxelinux\.0)$/.test(file)) return 'loader';
  return 'file';
}

function agentStep(event: Event & { kind: 'node.step' }): BootStep {
  return {
    at: event.at,
    name: event.step,
    status: event.status === 'started' ? 'running' : event.status,
    ...(event.ms === undefined ? {} : { ms: event.ms }),
    ...(event.detail === undefined ? {} : { detail: event.detail }),
    ...(event.output === undefined ? {} : { output: event.output }),
  };
}

/** The boot with what a service's log says now beside the step that started it. What a start that failed printed stays until there is more. */
function withWords(boot: Boot, { step, output }: Event & { kind: 'node.step' }): Boot {
  const at = boot.steps.findLastIndex(({ name }) => name === step);
  const found = boot.steps[at];
  if (found === undefined) return boot;
  const { output: before, ...rest } = found;
  const words = output ?? (found.status === 'failed' ? before : undefined);
  const steps = boot.steps.with(at, words === undefined ? rest : { ...rest, output: words });
  return { ...boot, steps: withinText(steps) };
}

/** A step that ends takes the place of the same step running; a repeated one takes the place of its last. */
function withStep(steps: readonly BootStep[], step: BootStep): readonly BootStep[] {
  const last = steps.at(-1);
  if (last && last.name === step.name && (last.status === 'running' || last.detail === step.detail)) {
    const startedAt = last.status === 'running' ? last.at : step.at;
    return [...steps.slice(0, -1), { ...step, at: startedAt }];
  }
  if (steps.length < MOST_STEPS) return [...steps, step];
  return [...steps.slice(0, FIRST_STEPS), ...steps.slice(FIRST_STEPS + 1), step];
}

/**
 * The steps, some of them without what they printed and without details, where there is more text than a boot may hold. The first
 * failure explains the boot: it keeps its text longest, the oldest step that did not fail loses its own first.
 */
function withinText(steps: readonly BootStep[]): readonly BootStep[] {
  let excess = steps.reduce((sum, step) => sum + textOf(step), 0) - MOST_TEXT;
  if (excess <= 0) return steps;
  const bounded = [...steps];
  const shorten = (index: number, fields: readonly (keyof BootStep)[]): void => {
    const step = bounded[index];
    if (step === undefined || excess <= 0) return;
    const shorter: { -readonly [Key in keyof BootStep]: BootStep[Key] } = { ...step };
    for (const field of fields) delete shorter[field];
    excess -= textOf(step) - textOf(shorter);
    bounded[index] = shorter;
  };
  const places = [...steps.keys()];
  const failed = places.filter((index) => steps[index]?.status === 'failed').reverse();
  const others = places.filter((index) => steps[index]?.status !== 'failed');
  for (const some of [others, failed]) {
    for (const index of some) shorten(index, ['output']);
    for (const index of some) shorten(index, ['detail', 'hint', 'file']);
  }
  return bounded;
}

function textOf({ name, detail = '', file = '', output = '', hint = '' }: BootStep): number {
  return name.length + detail.length + file.length + output.length + hint.length;
}

/** Whether the cloud has had the node in service in this boot. */
export function isInService({ steps }: Pick<Boot, 'steps'>): boolean {
  return steps.some(({ name, status }) => name === IN_SERVICE && status === 'done');
}
