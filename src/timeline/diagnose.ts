import type { BootStep, StepCode } from '../model/bootStep.ts';
import type { CloudStanding, EarlierStanding } from '../model/cloudStanding.ts';
import type { Mac } from '../model/mac.ts';
import { failedSteps } from './boots.ts';
import type { HeldLease } from './heldLease.ts';
import { serviceTrouble, type Trouble } from './serviceTrouble.ts';
import type { NodeStatus } from './status.ts';

/** A lease, and for how much longer it lasts, milliseconds. */
export type Holding = { readonly lease: HeldLease; readonly leftMs: number };
/** The last step of a boot, if there is one, and since when nothing was seen, milliseconds. */
type Quiet = { readonly last?: BootStep; readonly quietMs: number };

/** The state of a node, as its diagnosis begins. */
export type NodeFinding =
  /** Neither image nor menu entry nor boot file: it is never sent a boot file. */
  | { readonly code: 'address-only' }
  | { readonly code: 'image-not-built'; readonly image: string }
  | ({ readonly code: 'addressed' } & Holding)
  | { readonly code: 'unseen'; readonly mac: Mac }
  | { readonly code: 'not-in-service'; readonly standing?: CloudStanding | EarlierStanding }
  /** `standing`: the cloud's view of it, where it belongs to one. */
  | { readonly code: 'ready'; readonly tookMs: number; readonly standing?: CloudStanding | EarlierStanding }
  /** It was sent all of a menu entry, or a boot file, after which no report of it arrives. */
  | {
      readonly code: 'loaded';
      readonly entry: string | null;
      readonly bootFile?: string;
      readonly quietMs: number;
    }
  | { readonly code: 'step-failed'; readonly step: BootStep }
  | { readonly code: 'step-goes-on'; readonly step: BootStep }
  | ({ readonly code: 'other-server' } & Quiet)
  | ({ readonly code: 'booting' } & Quiet);

/** How far a boot came after which nothing was seen: what usually stops one right after it. */
export type Reached = 'agent' | 'root' | 'initrd' | 'script' | 'loader' | 'address' | 'asking';

/** What to look at next. */
export type Advice =
  | ({ readonly code: 'address-held' } & Holding)
  | { readonly code: 'no-address' }
  | { readonly code: 'build-image'; readonly image: string }
  /** The site keeps another address for it, which it gets when it asks next. */
  | { readonly code: 'own-address-next'; readonly ip: string }
  | { readonly code: 'boot-order' | 'power-and-boot-order' | 'portfast' | 'console' | 'other-server' }
  | { readonly code: 'other-card' | 'right-card'; readonly mac: Mac }
  | { readonly code: 'service-trouble'; readonly service: string; readonly trouble: Trouble }
  | { readonly code: 'cloud-hint'; readonly standing: CloudStanding | EarlierStanding }
  | { readonly code: 'printed'; readonly output: string }
  | { readonly code: 'failed-too'; readonly step: BootStep }
  | { readonly code: 'stopped-after'; readonly reached: Reached }
  | { readonly code: 'clock'; readonly aheadMs: number }
  | { readonly code: 'refresh-failed'; readonly cause: string }
  | { readonly code: 'files-behind' }
  /** `paths`: the first of them. */
  | { readonly code: 'files-drifted'; readonly count: number; readonly paths: readonly string[] };

/** What is wrong with a node, or that nothing is, and what to look at next. */
export type Diagnosis = { readonly node: string; readonly finding: NodeFinding; readonly advice: readonly Advice[] };

/** A step that takes longer than this is worth advice; milliseconds. */
const PATIENCE_MS = 90_000;
const PATHS_SHOWN = 3;

/**
 * The diagnosis of a node, from its newest boot. `imageBuilt` says whether the shelf has the node's image; `now` is milliseconds since
 * the epoch. Pure.
 */
export function diagnose(node: NodeStatus, imageBuilt: boolean, now: number): Diagnosis {
  const { finding, advice } = diagnoseBoot(node, imageBuilt, now);
  const ofFiles = node.boot?.state === 'ready' ? aboutFiles(node) : [];
  return { node: node.name, finding, advice: [...advice, ...aboutClock(node), ...ofFiles] };
}

type Found = Pick<Diagnosis, 'finding' | 'advice'>;

/** Tokens, certificates and whether Nova calls a service up depend on the time. */
function aboutClock({ boot }: NodeStatus): readonly Advice[] {
  return boot?.clockAheadMs === undefined ? [] : [{ code: 'clock', aheadMs: boot.clockAheadMs }];
}

/** Findings about the files of a running node. */
function aboutFiles({ files }: NodeStatus): readonly Advice[] {
  if (!files) return [];
  const { failed, current, applied, drifted, drift } = files;
  const paths = drift.slice(0, PATHS_SHOWN).map(({ path }) => path);
  return [
    ...(failed === null ? [] : [{ code: 'refresh-failed', cause: failed } as const]),
    ...(current === null || current === applied ? [] : [{ code: 'files-behind' } as const]),
    ...(drifted === 0 ? [] : [{ code: 'files-drifted', count: drifted, paths } as const]),
  ];
}

function diagnoseBoot(node: NodeStatus, imageBuilt: boolean, now: number): Found {
  const { boot, lease, image, entry, bootFile, mac } = node;
  if (image === null && entry === null && bootFile === undefined) {
    const advice: Advice = lease ? { code: 'address-held', ...holding(lease, now) } : { code: 'no-address' };
    return { finding: { code: 'address-only' }, advice: [advice] };
  }
  if (image !== null && bootFile === undefined && !imageBuilt)
    return { finding: { code: 'image-not-built', image }, advice: [{ code: 'build-image', image }] };
  if (!boot && lease) return addressed(node, lease, now);
  if (!boot) {
    const finding = { code: 'unseen', mac } as const;
    return { finding, advice: [{ code: 'power-and-boot-order' }, { code: 'right-card', mac }, { code: 'portfast' }] };
  }
  const service = boot.steps.findLast((step) => step.code === 'in-service');
  const standing = service?.standing && { standing: service.standing };
  if (boot.state === 'ready' && service?.status === 'running') {
    // The node's own logs are nearer to the cause than what the cloud lacks, if both are about the same service.
    const troubles = boot.steps.flatMap(serviceAdvice);
    const hint: readonly Advice[] = standing ? [{ code: 'cloud-hint', ...standing }] : [];
    return { finding: { code: 'not-in-service', ...standing }, advice: [...troubles, ...hint] };
  }
  if (boot.state === 'ready') {
    return { finding: { code: 'ready', tookMs: boot.updatedAt - boot.startedAt, ...standing }, advice: [] };
  }
  const quietMs = now - boot.updatedAt;
  if (boot.state === 'booting' && node.state === 'loaded') {
    const finding = { code: 'loaded', entry, ...(bootFile === undefined ? {} : { bootFile }), quietMs } as const;
    return { finding, advice: [{ code: 'console' }] };
  }
  const [failed, ...others] = failedSteps(boot.steps);
  if (boot.state === 'failed' && failed) return failedStep(failed, others);
  const last = boot.steps.at(-1);
  if (last?.status === 'running' && saysWhatItDoes(last, quietMs)) return slowStep(last);
  return waiting(boot.steps, quietMs);
}

function holding(lease: HeldLease, now: number): Holding {
  return { lease, leftMs: lease.expires - now };
}

/** A machine that has an address and no boot. */
function addressed({ mac, ip }: NodeStatus, lease: HeldLease, now: number): Found {
  const own: readonly Advice[] = ip === null || ip === lease.ip ? [] : [{ code: 'own-address-next', ip }];
  return {
    finding: { code: 'addressed', ...holding(lease, now) },
    advice: [...own, { code: 'boot-order' }, { code: 'other-card', mac }],
  };
}

function failedStep(step: BootStep, others: readonly BootStep[]): Found {
  const advice = others.flatMap((one): readonly Advice[] => [{ code: 'failed-too', step: one }, ...serviceAdvice(one)]);
  return { finding: { code: 'step-failed', step }, advice: [...serviceAdvice(step), ...printed(step), ...advice] };
}

/** Whether a step that goes on is known to make progress: by its log, or by a recent report. */
function saysWhatItDoes({ output, detail }: BootStep, quietMs: number): boolean {
  return output !== undefined || (detail !== undefined && quietMs < PATIENCE_MS);
}

function slowStep(step: BootStep): Found {
  return { finding: { code: 'step-goes-on', step }, advice: [...serviceAdvice(step), ...printed(step)] };
}

/** The trouble of a service that its log shows; empty where no line is known. */
function serviceAdvice(step: BootStep): readonly Advice[] {
  if (step.code !== 'service' || step.output === undefined) return [];
  const trouble = serviceTrouble(step.output);
  return trouble ? [{ code: 'service-trouble', service: step.subject, trouble }] : [];
}

function printed({ output }: BootStep): readonly Advice[] {
  return output === undefined ? [] : [{ code: 'printed', output }];
}

function waiting(steps: readonly BootStep[], quietMs: number): Found {
  const last = steps.at(-1);
  const quiet: Quiet = { quietMs, ...(last && { last }) };
  if (steps.some(({ code }) => code === 'other-server'))
    return { finding: { code: 'other-server', ...quiet }, advice: [{ code: 'other-server' }] };
  const furthest = REACHED.find(({ steps: codes }) => steps.some(({ code }) => codes.includes(code)));
  const isStuck = quietMs >= PATIENCE_MS && furthest !== undefined;
  return {
    finding: { code: 'booting', ...quiet },
    advice: isStuck ? [{ code: 'stopped-after', reached: furthest.reached }] : [],
  };
}

/** The furthest stage first. */
const REACHED: readonly { readonly steps: readonly StepCode[]; readonly reached: Reached }[] = [
  { steps: ['agent'], reached: 'agent' },
  { steps: ['root'], reached: 'root' },
  { steps: ['initrd'], reached: 'initrd' },
  { steps: ['script', 'kernel'], reached: 'script' },
  { steps: ['loader'], reached: 'loader' },
  { steps: ['address'], reached: 'address' },
  { steps: ['firmware-asks', 'ipxe-asks'], reached: 'asking' },
];
