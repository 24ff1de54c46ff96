import { ReveilleError } from '../errors.ts';
import { type AgentStep, agentStep } from '../model/agentStep.ts';
import { plainLine, plainLines } from '../plainText.ts';
import type { SecretMask } from './secretMask.ts';

/** One report of the agent on a node. `boot` and `seq` identify it, so that a repeated one is recognized. */
export type Report = {
  readonly boot: string;
  readonly seq: number;
  readonly step: AgentStep;
  readonly status: 'started' | 'done' | 'failed';
  /** What the step is part of, if not of the boot: a refresh, or the logs of a service. */
  readonly during?: 'refresh' | 'service';
  readonly ms: number;
  readonly detail?: string;
  readonly output?: string;
};

/** The longest report that is read, in bytes. */
export const LONGEST_REPORT = 16 * 1024;

const HEAD = /^([a-z]+)=([^\n]{0,600})$/;

/**
 * Reads a report: lines `key=value` (boot, seq, step, status, ms and perhaps detail and during), an empty line, then the output's
 * tail as it was. Throws REQUEST_INVALID for anything else.
 */
export function parseReport(body: Uint8Array): Report {
  if (body.length > LONGEST_REPORT) throw invalid(`a report is at most ${LONGEST_REPORT} bytes long`);
  const whole = new TextDecoder().decode(body);
  const end = whole.indexOf('\n\n');
  const head = new Map<string, string>();
  for (const line of (end < 0 ? whole.trimEnd() : whole.slice(0, end)).split('\n')) {
    const [, key, value] = HEAD.exec(line) ?? [];
    if (key === undefined || value === undefined) throw invalid('a report begins with lines key=value');
    head.set(key, value);
  }
  const boot = head.get('boot');
  const step = head.get('step');
  const status = head.get('status');
  const seq = wholeNumber(head.get('seq'));
  const ms = wholeNumber(head.get('ms'));
  if (boot === undefined || !/^[0-9a-f-]{36}$/.test(boot)) throw invalid('boot= is not the id of a boot');
  if (step === undefined || !/^[a-z][A-Za-z0-9 @_.:-]{0,99}$/.test(step))
    throw invalid('step= is not the name of a step');
  if (status !== 'started' && status !== 'done' && status !== 'failed')
    throw invalid('status= is started, done or failed');
  if (seq === undefined || ms === undefined) throw invalid('seq= and ms= are whole numbers');
  const during = head.get('during');
  const detail = plainLine(head.get('detail') ?? '', '').trim();
  const output = end < 0 ? '' : plainLines(whole.slice(end + 2)).trimEnd();
  return {
    boot,
    seq,
    step: agentStep(step),
    status,
    ms,
    ...(during === 'refresh' || during === 'service' ? { during } : {}),
    ...(detail === '' ? {} : { detail }),
    ...(output === '' ? {} : { output }),
  };
}

/** The longest detail and output, as the agent limits them. */
const CUT_DETAIL = 450;
const CUT_OUTPUT = 3500;

/** The same without the secrets that reached the node. An output is the end of a longer one, a detail the beginning. */
export function maskedReport(report: Report, mask: SecretMask): Report {
  const { detail, output } = report;
  const masked = (text: string, cut: number) => (text.length < cut ? mask.mask(text) : mask.maskCut(text));
  return {
    ...report,
    ...(detail === undefined ? {} : { detail: masked(detail, CUT_DETAIL) }),
    ...(output === undefined ? {} : { output: masked(output, CUT_OUTPUT) }),
  };
}

function wholeNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
}

function invalid(message: string): ReveilleError {
  return new ReveilleError('REQUEST_INVALID', message);
}
