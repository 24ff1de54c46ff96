import type { ActionFailure, BootProgress, NodeNote, NotRebooted, RollNote, Stuck } from '../model/rollNote.ts';
import { standingText } from './standing.ts';
import { stepDetail, stepName } from './step.ts';
import { count, formatMs, shortenHashes } from './units.ts';

/** The text of a note: what a node of a roll does or waits for, or why a roll ended or stops; may be empty. */
export function noteText(note: NodeNote | RollNote | null): string {
  if (note === null) return '';
  switch (note.code) {
    case 'aborted':
      return 'aborted by the operator';
    case 'stopped-by-node':
      return `${note.node}: ${noteText(note.why)}`;
    case 'too-many-failed':
      return `${count(note.failed, 'node')} failed, and ${note.allowed} may`;
    case 'too-many-out':
      return `${count(note.out, 'node')} failed and out of service: no more may be`;
    case 'some-failed':
      return `${count(note.failed, 'node')} failed`;
    default:
      return nodeNoteText(note);
  }
}

type Noted = { readonly note: NodeNote | RollNote | null };
type NotedRoll = Noted & { readonly nodes: readonly Noted[] };
type WithWords = { readonly words: string };
/** A roll with its words. */
export type RollJson<R extends NotedRoll> = Omit<R, 'nodes'> &
  WithWords & { readonly nodes: readonly (R['nodes'][number] & WithWords)[] };

/** A roll as `--json` shows it: codes and values, and the text of its notes. */
export function rollJson<R extends NotedRoll>(roll: R): RollJson<R> {
  const nodes = roll.nodes.map((node) => ({ ...node, words: noteText(node.note) }));
  return { ...roll, words: noteText(roll.note), nodes };
}

function nodeNoteText(note: NodeNote): string {
  switch (note.code) {
    case 'left-site':
      return 'the site has no such node any more';
    case 'runs-image':
      return 'runs the image already';
    case 'no-service':
      return 'Nova knows no compute service on it';
    case 'disabling':
      return 'its compute service is being disabled';
    case 'enabled-meanwhile':
      return 'an operator enabled its compute service meanwhile';
    case 'empty':
      return 'empty';
    case 'moves-unconfirmed':
      return 'cold moves wait to be confirmed';
    case 'instances-keep-coming':
      return 'new instances came to it again and again';
    case 'to-reboot':
      return 'is to reboot';
    case 'ordered-to-reboot':
      return 'ordered to reboot';
    case 'joins':
      return 'ready, not yet in service';
    case 'files-failed':
      return 'its files could not be written';
    case 'in-service':
      return 'in service';
    case 'enabling':
      return 'in service; is being enabled';
    case 'stopped-before-reboot':
      return 'the roll was stopped before its reboot';
    case 'tried-again':
      return 'is tried again';
    case 'not-begun':
      return 'was not begun';
    case 'cloud-unknown':
      return `the cloud cannot be asked: ${note.message}`;
    case 'disabled':
      return `disabled${note.before ? `, as it was already${reasonText(note.before)}` : ''}`;
    case 'instances':
      return `${count(note.remaining, 'instance')} left, ${note.moving} on the way`;
    case 'stuck':
      return `${note.remaining === undefined ? '' : `${count(note.remaining, 'instance')} left; `}${stuckText(note.stuck)}`;
    case 'moves-unended':
      return `empty; Nova has not reported the end of ${count(note.moves, 'move')} from or to it`;
    case 'not-empty-again':
      return `was ordered to reboot and did not, and is not empty any more: ${noteText(note.drain)}`;
    case 'power-cycled':
      return `power cycled by its BMC: ${CYCLED[note.why]}`;
    case 'not-rebooted':
      return notRebootedText(note);
    case 'cycle-failed':
      return `its BMC did not power cycle it: ${note.message}`;
    case 'action-failed':
      return failureText(note.failure);
    case 'boots':
      return `${note.cycled ? 'power cycled by its BMC; ' : ''}${bootText(note.boot)}`;
    case 'boots-again':
      return `boots again: ${note.boot === undefined ? '' : bootText(note.boot)}`;
    case 'wrong-image':
      return note.found === undefined
        ? 'which image it booted is not known'
        : shortenHashes(`it booted ${note.found} and not ${note.wanted}`);
    case 'standing':
      return standingText(note.standing);
    case 'renewed': {
      const how = note.cycled ? 'renewed, power cycled by its BMC' : 'renewed';
      return note.disabled ? `${how}; its service stays disabled${reasonText(note.disabled)}` : how;
    }
    case 'late':
      return `not done after ${formatMs(note.limitMs)}: ${noteText(note.note)}`;
    case 'failed': {
      const stays = note.staysDisabled ? '; its compute service stays disabled' : '';
      return `failed while ${note.phase}: ${noteText(note.why)}${stays}`;
    }
    case 'would-skip':
      return 'is skipped: runs the image already';
    case 'would-wait':
      return `waits: the cloud cannot be asked: ${note.message}`;
    case 'would-reboot':
      return forecastText(note);
    case 'earlier':
      return note.words;
  }
}

function forecastText({ instances, staysDisabled }: NodeNote & { readonly code: 'would-reboot' }): string {
  if (instances === undefined) return 'is rebooted';
  const { live, others, policy } = instances;
  const moves = [
    ...(live === 0 ? [] : [`${count(live, 'instance')} to be moved live`]),
    ...(others === 0 ? [] : [`${count(others, 'instance')} that cannot (${policy})`]),
  ];
  const kept = staysDisabled ? '; its service is disabled and stays so' : '';
  return `is rebooted; ${moves.length === 0 ? 'it is empty' : moves.join(', ')}${kept}`;
}

function stuckText({ name, id, status, tried }: Stuck): string {
  const asked = tried ? `, asked ${count(tried.tries, 'time')} to move ${tried.kind}` : '';
  const why = tried && (tried.refused ?? 'see the logs of nova-compute on both hosts');
  return `${name} (${id}) cannot be moved: it is ${status}${asked}${why === undefined ? '' : `: ${why}`}`;
}

const CYCLED: { readonly [W in NotRebooted]: string } = {
  'agent-silent': 'its agent does not ask for orders',
  'order-lost': 'it did not reboot when ordered to',
};

function notRebootedText({ why, bmc }: NodeNote & { readonly code: 'not-rebooted' }): string {
  const what = why === 'agent-silent' ? 'its agent does not ask for orders' : 'was ordered to reboot and did not';
  switch (bmc.state) {
    case 'refused':
      return `${what}; its BMC did not power cycle it: ${bmc.message}`;
    case 'next':
      return `${what}; its BMC is asked next`;
    case 'none':
      return `${what}, and the site gives it no bmc; a reboot by hand counts too`;
  }
}

function failureText(failure: ActionFailure): string {
  return failure.code === 'order-untaken' ? 'it did not take the order to reboot' : failure.message;
}

/** `loader`, `settings failed: exit code 3`. */
function bootText({ state, step }: BootProgress): string {
  if (step === undefined) return 'boots';
  if (state !== 'failed' || step.status !== 'failed') return stepName(step);
  const detail = stepDetail(step);
  return `${stepName(step)} failed${detail ? `: ${detail}` : ''}`;
}

function reasonText({ reason }: { readonly reason?: string }): string {
  return reason === undefined ? '' : `: ${reason}`;
}
