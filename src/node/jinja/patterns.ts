import { createContext, Script } from 'node:vm';
import type { Budget } from './budget.ts';
import { problem } from './problem.ts';

const LONGEST_PATTERN = 1000;
const LONGEST_SUBJECT = 64 * 1024;
const LONGEST_REPLACEMENT = 256;
const MOST_GROUPS = 4;
const LONGEST_WITH_GROUPS = 4096;
/** A regular expression may take so long, of the processor's time. */
const SLOWEST_MS = 150;
/** The clock ends it: where that was not the processor's time, because the machine is busy, it is tried again. */
const MOST_TRIES = 5;
/** Comparisons of characters that cost a step. */
const COMPARED_PER_STEP = 50;
/** What a millisecond of one costs. */
const STEPS_PER_MS = 10_000;

/** Nothing but texts goes in and out. The context is there because only a script in one can be stopped. */
const context = createContext(Object.create(null)) as Record<'source' | 'flags' | 'subject' | 'by', string>;
const TEST = new Script('new RegExp(source, flags).test(subject)');
const REPLACE = new Script('subject.replace(new RegExp(source, flags), by)');

/** Whether a regular expression is found in a text. Throws for one that is wrong or takes too long. */
export function found(source: string, flags: string, subject: string, budget: Budget): boolean {
  checked(source, subject, budget);
  if (isQuick(source, flags)) {
    budget.spend((source.length * subject.length) / COMPARED_PER_STEP);
    return compiled(source, flags).test(subject);
  }
  return run(TEST, source, flags, subject, '', budget) === true;
}

/** A text with what a regular expression finds replaced; `by` may name groups as `$1`. */
export function replaced(source: string, flags: string, subject: string, by: string, budget: Budget): string {
  checked(source, subject, budget);
  // What groups hold can be as long as the text, at each place that is found.
  const groups = by.split('$').length - 1;
  if (by.length > LONGEST_REPLACEMENT || groups > MOST_GROUPS || (groups > 0 && subject.length > LONGEST_WITH_GROUPS)) {
    throw problem('what takes the place of a regular expression is too long');
  }
  const text = String(run(REPLACE, source, flags, subject, by, budget));
  budget.text(text.length);
  return text;
}

/**
 * Whether a regular expression compares each of its characters with each of the text's once at most: the usual case, and 100 times as
 * fast without a limit of time. One that repeats anything begins at the start of the text alone; none refers to a group.
 */
function isQuick(source: string, flags: string): boolean {
  const repeats = (source.replace(/^\^\(\?:/, '').match(/[*+?{]/g) ?? []).length;
  if (/\\[0-9k]/.test(source)) return false;
  return repeats === 0 || (repeats === 1 && source.startsWith('^') && !source.includes('|') && !flags.includes('m'));
}

function checked(source: string, subject: string, budget: Budget): void {
  if (source.length > LONGEST_PATTERN) throw problem('the regular expression is too long');
  if (subject.length > LONGEST_SUBJECT) throw problem('the text is too long for a regular expression');
  budget.spend(source.length + subject.length);
}

function run(script: Script, source: string, flags: string, subject: string, by: string, budget: Budget): unknown {
  compiled(source, flags);
  Object.assign(context, { source, flags, subject, by });
  const start = threadMs();
  try {
    for (let tries = 1; ; tries++) {
      try {
        return script.runInContext(context, { timeout: SLOWEST_MS });
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT')
          throw problem(`the regular expression ${source} cannot be used`);
        if (tries === MOST_TRIES || threadMs() - start > SLOWEST_MS / 2)
          throw problem(`the regular expression ${source} takes too long`);
      }
    }
  } finally {
    Object.assign(context, { subject: '', by: '' });
    budget.spend((threadMs() - start) * STEPS_PER_MS);
  }
}

/** What this thread used of the processor, in milliseconds. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function compiled(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch {
    throw problem(`${source} is not a regular expression`);
  }
}
