import { type Place, ReveilleError } from '../errors.ts';
import { Budget } from './jinja/budget.ts';
import { TemplateProblem } from './jinja/problem.ts';
import { type Program, program } from './jinja/program.ts';

export { Budget } from './jinja/budget.ts';

/**
 * Turns one template's text into a file's; `file` is its name in errors. `budget` is what the templates of one bundle may
 * use together; each template has a limit of its own too. Throws TEMPLATE_INVALID with the place.
 */
export type Renderer = {
  compile(file: string, text: string): void;
  render(file: string, text: string, sees: object, budget?: Budget): string;
};

/** Templates that are kept compiled. */
const MOST_KNOWN = 2000;

/**
 * Templates in the syntax that operators know from Ansible (Jinja2): no HTML escaping, the newline after a block tag is
 * dropped, empty lists and maps are false, a value that does not exist is an error where it is printed, and `fail(words)` is one anywhere. A template stands alone: include, import and
 * extends find nothing, so that none reads a file it should not. What a template sees is data; it reaches nothing of the
 * program, and its work and its output have limits.
 */
export function createRenderer(): Renderer {
  // The same template is rendered for many nodes, and for each again and again.
  const known = new Map<string, Program>();
  const compiled = (file: string, text: string): Program => {
    const name = `${file}\0${text}`;
    const before = known.get(name);
    if (before) return before;
    const made = inWords(file, text, () => program(text));
    if (known.size === MOST_KNOWN) known.clear();
    known.set(name, made);
    return made;
  };
  return {
    compile: (file, text) => {
      compiled(file, text);
    },
    render(file, text, sees, budget = Budget.forBundle()) {
      const made = compiled(file, text);
      return inWords(file, text, () => budget.forFile((own) => made(sees, own)));
    },
  };
}

/** Does `work`; a fault of the template becomes an error with its place, in the operator's terms. */
function inWords<T>(file: string, text: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TemplateProblem) throw templateError(file, text, error);
    if (error instanceof RangeError) {
      const place = { file, line: 1, col: 1 };
      throw new ReveilleError('TEMPLATE_INVALID', 'the template is nested too deeply', { place, cause: error });
    }
    throw error;
  }
}

function templateError(file: string, text: string, problem: TemplateProblem): ReveilleError {
  const { kind, message, at } = problem;
  const place: Place = kind === 'unclosed' || !at ? lastLine(file, text) : { file, ...at };
  const expression = kind === 'no-value' ? expressionAt(text, place) : undefined;
  const hint = hintFor(problem, expression);
  return new ReveilleError('TEMPLATE_INVALID', expression === undefined ? message : `${expression} has no value`, {
    place,
    ...(hint === undefined ? {} : { hint }),
    cause: problem,
  });
}

function hintFor({ kind, message }: TemplateProblem, expression: string | undefined): string | undefined {
  switch (kind) {
    case 'no-value':
      return expression !== undefined && /\bfacts\b/.test(expression)
        ? 'facts is what the machine itself has reported; guard it with {% if facts %}, or give another value: | default("...")'
        : 'set it under vars: of the site, a profile or the node, or give another value: | default("...")';
    case 'no-other-templates':
      return 'write it out here';
    case 'unclosed':
      return message.includes('comment')
        ? 'a comment {# is not closed with #}'
        : 'a block is not closed: is an {% endif %} or {% endfor %} missing?';
    case 'too-much-work':
      return 'is a loop within a loop too long, or a text made again and again? See docs/overlays.md for the limits';
    case 'too-deep':
      return 'does a macro call itself?';
    default:
      return undefined;
  }
}

function lastLine(file: string, text: string): Place {
  return { file, line: Math.max(1, text.trimEnd().split('\n').length), col: 1 };
}

/** What stands between the braces that open at `place`. */
function expressionAt(text: string, place: Place): string | undefined {
  const rest = text.split('\n')[place.line - 1]?.slice(place.col - 1, place.col + 199) ?? '';
  const inside = /\{\{-?\s*(.*?)\s*-?\}\}/.exec(rest)?.[1];
  return inside === undefined || inside === '' || inside.length > 100 ? undefined : inside;
}
