import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ReveilleError } from '../errors.ts';
import type { RootStep } from '../image/mmdebstrap.ts';
import { askRack, errorOf, failureOf, type LabRequest, type LabStatus, type SentError } from '../lab/control.ts';
import { type Folders, type Held, holdRack, labFolder, labSocket } from '../lab/hold.ts';
import { enter } from '../lab/namespace.ts';
import { errorText } from './print.ts';

/** The messages of the process that holds a rack to the one that started it, until the rack is up. */
type Word = { readonly step: RootStep } | { readonly status: LabStatus } | { readonly failure: SentError };

/**
 * Starts `reveille <words>` in the background and waits until the rack that it holds stands. If we end before, it gives up.
 * Throws LAB_FAILED with what it says.
 */
export async function startHolder(
  words: readonly string[],
  { site, state }: Folders,
  onStep: (step: RootStep) => void = () => {},
): Promise<LabStatus> {
  mkdirSync(labFolder(state), { recursive: true });
  const log = openSync(join(labFolder(state), 'lab.log'), 'a');
  const program = join(import.meta.dirname, 'main.ts');
  const holder = spawn(
    process.execPath,
    [...process.execArgv, program, ...words, '--site', resolve(site), '--state', resolve(state)],
    { detached: true, stdio: ['ignore', log, log, 'ipc'], cwd: '/' },
  );
  const last = await new Promise<Exclude<Word, { step: RootStep }>>((settle, reject) => {
    holder.on('message', (word: Word) => {
      if ('step' in word) onStep(word.step);
      else settle(word);
    });
    holder.once('error', reject);
    holder.once('exit', (code, signal) => {
      const how = signal === null ? `exit code ${code}` : signal;
      settle({ failure: { code: 'LAB_FAILED', message: `the process that sets the rack up ended (${how})` } });
    });
  });
  holder.unref();
  if (holder.connected) holder.disconnect();
  if ('status' in last) return last.status;
  const more = `More may be in ${labFolder(state)}: lab.log, server.log.`;
  throw errorOf({ ...last.failure, hint: last.failure.hint === undefined ? more : `${last.failure.hint}\n${more}` });
}

/** The process behind it: holds what `open` opens, and reports to its parent when the rack is up, or why it is not. */
export async function holdForParent(
  folders: Folders,
  open: (onStep: (step: RootStep) => void) => Promise<Held>,
): Promise<void> {
  const unwanted = new AbortController();
  const leave = () => unwanted.abort();
  process.once('disconnect', leave);
  // It may be gone before we could hear of it.
  if (process.connected === false) leave();
  const send = (word: Word) => {
    if (process.connected) process.send?.(word);
  };
  const tellLast = (word: Word) => {
    process.off('disconnect', leave);
    send(word);
    if (process.connected) process.disconnect?.();
  };
  try {
    await holdRack(
      folders,
      (says) =>
        open((step) => {
          says(step.doing);
          send({ step });
        }),
      { onUp: (status) => tellLast({ status }), unwanted: unwanted.signal },
    );
  } catch (error) {
    console.error(errorText(error));
    tellLast({ failure: failureOf(error) });
    process.exitCode = 1;
  }
}

/** Asks the rack of a state folder; `undefined` if there is none. */
export function ask(state: string, request: LabRequest): Promise<LabStatus | undefined> {
  return askRack(labSocket(resolve(state)), request);
}

/** The same, where there has to be one. Throws LAB_FAILED. */
export async function askStanding(state: string, request: LabRequest): Promise<LabStatus> {
  const status = await ask(state, request);
  if (status) return status;
  throw new ReveilleError('LAB_FAILED', `no rack of ${state} is up`, {
    hint: 'Set one up: reveille lab up --site DIR',
  });
}

/** The first process inside a rack. Throws LAB_FAILED while it is set up. */
export function insideOf({ insidePid, doing }: LabStatus): number {
  if (insidePid !== undefined) return insidePid;
  throw new ReveilleError('LAB_FAILED', `the rack is still being set up: ${doing}`);
}

/** Runs a program inside a rack, on our terminal; its exit code becomes ours. */
export async function runInside(pid: number, command: readonly string[]): Promise<void> {
  const [code] = await once(spawn(...enter(pid, command), { stdio: 'inherit' }), 'exit');
  process.exitCode = typeof code === 'number' ? code : 1;
}
