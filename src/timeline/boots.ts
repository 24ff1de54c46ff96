import type { BootStep, StepCode } from '../model/bootStep.ts';
import type { ClientStage, Event } from '../model/event.ts';

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
  // File changes of a running node do not belong to its boot; reports of a service that the boot started do.
  if (event.kind === 'node.step' && event.during === 'refresh') return boot;
  if (event.kind === 'node.step' && event.during === 'service') return boot && withOutput(boot, event);
  if (event.kind === 'node.clock' && boot) {
    const { clockAheadMs: _, ...rest } = boot;
    return event.aheadMs === 0 ? rest : { ...rest, clockAheadMs: event.aheadMs };
  }
  if (event.kind === 'dhcp.discover' && startsBoot(boot, event.stage, event.at)) {
    const step: BootStep = { at: event.at, code: ASKS[event.stage], status: 'done' };
    return { startedAt: event.at, updatedAt: event.at, state: 'booting', steps: [step] };
  }
  if (event.kind === 'node.step' && boot?.state !== 'booting' && event.code === 'agent' && event.status === 'started') {
    return { startedAt: event.at, updatedAt: event.at, state: 'booting', steps: [agentStepOf(event)] };
  }
  if (!boot) return undefined;
  const step = stepOf(event);
  if (!step) return boot;
  return {
    ...boot,
    // The cloud reports on the node for as long as it runs; the boot itself is over by then.
    updatedAt: event.kind === 'cloud.standing' ? boot.updatedAt : event.at,
    state: stateAfter(boot, event),
    steps: withinText(withStep(boot.steps, step)),
  };
}

/**
 * Firmware that asks is a machine that was just switched on, unless it is only asking again. iPXE asks after the
 * firmware that loaded it, or first where the network card carries iPXE itself. An operating system that asks is neither.
 */
function startsBoot(boot: Boot | undefined, stage: ClientStage, at: number): boolean {
  if (stage === 'os') return false;
  if (boot?.state !== 'booting') return true;
  const early = boot.steps.every((step) => EARLY.has(step.code));
  if (stage === 'ipxe') return !early;
  return !early || at - boot.updatedAt > SAME_ATTEMPT_MS;
}

const ASKS = { firmware: 'firmware-asks', ipxe: 'ipxe-asks', os: 'system-asks' } as const satisfies {
  readonly [S in ClientStage]: StepCode;
};
const EARLY: ReadonlySet<StepCode> = new Set(['firmware-asks', 'ipxe-asks', 'address', 'loader']);

/** What distinguishes a step from others of its boot. */
function keyOf({ code, subject }: { readonly code: StepCode; readonly subject?: string | undefined }): string {
  return subject === undefined ? code : `${code} ${subject}`;
}

/**
 * The steps that failed in the end, the first of them first. `ready` fails because others did, and is listed
 * only where no other failed.
 */
export function failedSteps(steps: readonly BootStep[]): readonly BootStep[] {
  const last = new Map(steps.map((step) => [keyOf(step), step]));
  const failed = [...last.values()].filter(({ status }) => status === 'failed');
  const causes = failed.filter(({ code }) => code !== 'ready');
  return causes.length > 0 ? causes : failed;
}

/** Whether nothing failed but services at their start. systemd tries those again, so they may still start. */
export function failedByServices({ state, steps }: Boot): boolean {
  const failed = failedSteps(steps);
  return state === 'failed' && failed.length > 0 && failed.every(({ code }) => code === 'service');
}

function stateAfter(boot: Boot, event: Event): Boot['state'] {
  if (event.kind === 'cloud.standing' && event.standing === 'in-service' && failedByServices(boot)) return 'ready';
  if (event.kind !== 'node.step') return boot.state;
  if (event.status === 'failed') return 'failed';
  // The agent reports `ready` only where nothing failed in the end; a file that was corrected meanwhile may have failed before.
  if (event.code === 'ready' && event.status === 'done') return 'ready';
  return boot.state;
}

function stepOf(event: Event): BootStep | undefined {
  const { at } = event;
  switch (event.kind) {
    case 'dhcp.discover':
      return { at, code: ASKS[event.stage], status: 'done' };
    case 'dhcp.ack':
      return event.stage === 'os'
        ? { at, code: 'system-address', status: 'done' }
        : { at, code: 'address', status: 'done', ...(event.bootFile ? { bootFile: event.bootFile } : {}) };
    case 'dhcp.nak':
      return { at, code: 'address-refused', status: 'failed', detail: event.reason };
    case 'dhcp.other-server':
      return { at, code: 'other-server', status: 'failed' };
    case 'tftp.sent':
    case 'http.sent': {
      const { file, bytes, ms, role, image } = event;
      return { at, code: role, status: 'done', ms, file, bytes, ...(image === undefined ? {} : { image }) };
    }
    case 'tftp.failed':
    case 'http.failed': {
      const { file, reason, role = 'file', image } = event;
      return { at, code: role, status: 'failed', file, cause: reason, ...(image === undefined ? {} : { image }) };
    }
    case 'node.step':
      return agentStepOf(event);
    case 'cloud.standing': {
      const { at: _, kind, mac, ip, ...standing } = event;
      return { at, code: 'in-service', status: event.standing === 'in-service' ? 'done' : 'running', standing };
    }
    default:
      return undefined;
  }
}

function agentStepOf(event: Event & { kind: 'node.step' }): BootStep {
  const step = event.subject === undefined ? { code: event.code } : { code: event.code, subject: event.subject };
  return {
    at: event.at,
    ...step,
    status: event.status === 'started' ? 'running' : event.status,
    ...(event.ms === undefined ? {} : { ms: event.ms }),
    ...(event.detail === undefined ? {} : { detail: event.detail }),
    ...(event.output === undefined ? {} : { output: event.output }),
  };
}

/** The boot with the newest log of a service at the step that started it. The output of a failed start stays until the log has something. */
function withOutput(boot: Boot, event: Event & { kind: 'node.step' }): Boot {
  const at = boot.steps.findLastIndex((step) => keyOf(step) === keyOf(event));
  const found = boot.steps[at];
  if (found === undefined) return boot;
  const { output: before, ...rest } = found;
  const output = event.output ?? (found.status === 'failed' ? before : undefined);
  const steps = boot.steps.with(at, output === undefined ? rest : { ...rest, output });
  return { ...boot, steps: withinText(steps) };
}

/** A step that ends takes the place of the same step running; a repeated one takes the place of its last. */
function withStep(steps: readonly BootStep[], step: BootStep): readonly BootStep[] {
  const last = steps.at(-1);
  if (last && keyOf(last) === keyOf(step) && (last.status === 'running' || contentOf(last) === contentOf(step))) {
    const startedAt = last.status === 'running' ? last.at : step.at;
    return [...steps.slice(0, -1), { ...step, at: startedAt }];
  }
  if (steps.length < MOST_STEPS) return [...steps, step];
  return [...steps.slice(0, FIRST_STEPS), ...steps.slice(FIRST_STEPS + 1), step];
}

/** The content of a step besides its status: a step with the same content is the same. */
function contentOf({ at, status, ms, output, ...content }: BootStep): string {
  return JSON.stringify(content);
}

/**
 * The steps, some of them without what they printed and without details, where there is more text than a boot may hold. The first
 * failure explains the boot: it keeps its text longest, the oldest step that did not fail loses its own first.
 */
function withinText(steps: readonly BootStep[]): readonly BootStep[] {
  let excess = steps.reduce((sum, step) => sum + textOf(step), 0) - MOST_TEXT;
  if (excess <= 0) return steps;
  const bounded = [...steps];
  const shorten = (index: number, fields: readonly string[]): void => {
    const step = bounded[index];
    if (step === undefined || excess <= 0) return;
    const shorter = Object.fromEntries(Object.entries(step).filter(([name]) => !fields.includes(name))) as BootStep;
    excess -= textOf(step) - textOf(shorter);
    bounded[index] = shorter;
  };
  const places = [...steps.keys()];
  const failed = places.filter((index) => steps[index]?.status === 'failed').reverse();
  const others = places.filter((index) => steps[index]?.status !== 'failed');
  for (const some of [others, failed]) {
    for (const index of some) shorten(index, ['output']);
    for (const index of some) shorten(index, ['detail', 'file', 'cause', 'bootFile', 'standing']);
  }
  return bounded;
}

/** How much text a step holds. */
function textOf(step: BootStep): number {
  let length = 0;
  for (const value of Object.values(step)) {
    if (typeof value === 'string') length += value.length;
    else if (typeof value === 'object') length += JSON.stringify(value).length;
  }
  return length;
}

/** Whether the cloud has had the node in service in this boot. */
export function isInService({ steps }: Pick<Boot, 'steps'>): boolean {
  return steps.some(({ code, status }) => code === 'in-service' && status === 'done');
}

/** The image of which a boot was sent a file last. */
export function imageOfBoot({ steps }: Pick<Boot, 'steps'>): string | undefined {
  const images = steps.map((step) => ('image' in step && step.status === 'done' ? step.image : undefined));
  return images.findLast((image) => image !== undefined);
}
