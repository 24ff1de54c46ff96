import type { Place } from '../../../errors.ts';
import { quoted } from '../../../site/finding.ts';
import { invalid } from '../../invalid.ts';
import { OptionTable } from './optionTable.ts';
import { showOption } from './show.ts';
import type { Expression, OptionName, OptionType, Statement, Value } from './tree.ts';

/** The options that statements or expressions name before they are defined, or without: dhcpd refuses each. */
export function undefinedOptions(statements: readonly Statement[]): readonly Error[] {
  const walk = new Walk();
  walk.all(statements);
  return walk.problems;
}

class Walk {
  readonly problems: Error[] = [];
  readonly #options = new OptionTable();

  all(statements: readonly Statement[]): void {
    for (const statement of statements) this.#one(statement);
  }

  #one(statement: Statement): void {
    switch (statement.kind) {
      case 'option-space':
        this.#options.define(statement);
        return;
      case 'option-definition':
        this.#space(statement.option.space, statement.place);
        this.#type(statement.type, statement.place);
        this.#options.define(statement);
        return;
      case 'option':
        this.#name(statement.option, statement.place);
        this.#value(statement.value);
        return;
      case 'parameter':
        this.#value(statement.value);
        return;
      case 'match':
      case 'spawn':
        this.#expression(statement.expression);
        return;
      case 'subclass':
        this.#expression(statement.data);
        this.all(statement.body ?? []);
        return;
      case 'if':
        for (const { condition, body } of statement.branches) {
          if (condition !== undefined) this.#expression(condition);
          this.all(body);
        }
        return;
      case 'switch':
        this.#expression(statement.on);
        for (const { is, body } of statement.cases) {
          if (is !== undefined) this.#expression(is);
          this.all(body);
        }
        return;
      case 'action':
        for (const expression of statement.expressions) this.#expression(expression);
        this.all(statement.body ?? []);
        return;
      default:
        if ('body' in statement) this.all(statement.body);
    }
  }

  #value(value: Value): void {
    if ('expression' in value) this.#expression(value.expression);
  }

  #expression(expression: Expression): void {
    switch (expression.kind) {
      case 'option':
        this.#name(expression.option, expression.place);
        return;
      case 'call':
        for (const argument of expression.arguments) this.#expression(argument);
        return;
      case 'not':
        this.#expression(expression.of);
        return;
      case 'binary':
        this.#expression(expression.left);
        this.#expression(expression.right);
    }
  }

  #type(type: OptionType, place: Place): void {
    if (type.kind === 'space') this.#space(type.space, place);
    if (type.kind === 'array') this.#type(type.of, place);
    if (type.kind === 'record') for (const part of type.parts) this.#type(part, place);
  }

  #space(space: string, place: Place): void {
    if (this.#options.hasSpace(space)) return;
    this.problems.push(
      invalid(place, `there is no option space ${quoted(space)}`, `define it before: option space ${space};`),
    );
  }

  #name(option: OptionName, place: Place): void {
    if (this.#options.isKnown(option)) return;
    const name = showOption(option);
    const near = this.#options.names.includes(option.name) ? `it is called ${option.name}` : undefined;
    const hint = near ?? `define it before: option ${name} code NUMBER = TYPE;`;
    this.problems.push(invalid(place, `there is no option ${quoted(name)}`, hint));
  }
}
