import type { AgentStep } from '../model/agentStep.ts';
import type { BootStep } from '../model/bootStep.ts';
import type { Boot } from '../timeline/boots.ts';
import { standingHint, standingText } from './standing.ts';
import { formatBytes } from './units.ts';

/** What the steps of a boot are called that are not called by their codes. */
const NAMES = {
  'firmware-asks': 'firmware asks',
  'ipxe-asks': 'iPXE asks',
  'system-asks': 'system asks',
  'system-address': 'system has its address',
  'other-server': 'another DHCP server answered',
  'address-refused': 'address refused',
  'in-service': 'in service',
} as const;

/** `firmware asks`, `service nova-compute`. */
export function stepName(step: BootStep): string {
  if (step.code === 'service' || step.code === 'other') return agentStepName(step);
  return step.code in NAMES ? NAMES[step.code as keyof typeof NAMES] : step.code;
}

/** The name that the agent gives a step: `settings`, `service nova-compute`. */
export function agentStepName(step: AgentStep): string {
  if (step.subject === undefined) return step.code;
  return step.code === 'service' ? `service ${step.subject}` : step.subject;
}

/** The details of a step besides its name: which file, which address, why it failed. */
export function stepDetail(step: BootStep): string | undefined {
  if (step.detail !== undefined) return step.detail;
  if ('bootFile' in step && step.bootFile !== undefined) return `boots ${step.bootFile}`;
  if ('standing' in step && step.standing !== undefined) return standingText(step.standing);
  if (!('file' in step) || step.file === undefined) return undefined;
  if (step.cause !== undefined) return `${step.file}: ${step.cause}`;
  return step.bytes === undefined ? step.file : `${step.file}, ${formatBytes(step.bytes)}`;
}

/** What the operator may do, where that is known. */
export function stepHint(step: BootStep): string | undefined {
  return 'standing' in step && step.standing !== undefined ? standingHint(step.standing) : undefined;
}

/** A step with its words. */
type StepJson = BootStep & { readonly name: string; readonly hint?: string };
export type BootJson = Omit<Boot, 'steps'> & { readonly steps: readonly StepJson[] };

/** A boot as programs are given it: codes and values, and what each step is called. */
export function bootJson(boot: Boot): BootJson {
  return { ...boot, steps: boot.steps.map(stepJson) };
}

function stepJson(step: BootStep): StepJson {
  const [detail, hint] = [stepDetail(step), stepHint(step)];
  return {
    ...step,
    name: stepName(step),
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  };
}
