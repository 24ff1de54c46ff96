import type { At } from './problem.ts';

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**' | '~';
export type CompareOperator = '==' | '===' | '!=' | '!==' | '<' | '>' | '<=' | '>=';

/** Arguments of a call: those by place, then those by name. */
export type Arguments = {
  readonly values: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
};

/** A parameter of a macro; `otherwise` is what it is where it is not given. */
export type Parameter = { readonly name: string; readonly otherwise?: Expression };

export type Expression = At &
  (
    | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
    | { readonly kind: 'regex'; readonly source: string; readonly flags: string }
    | { readonly kind: 'name'; readonly name: string }
    | { readonly kind: 'list'; readonly items: readonly Expression[] }
    | { readonly kind: 'map'; readonly entries: readonly (readonly [string, Expression])[] }
    | { readonly kind: 'member'; readonly of: Expression; readonly key: Expression }
    | { readonly kind: 'call'; readonly of: Expression; readonly args: Arguments }
    | { readonly kind: 'filter'; readonly name: string; readonly of: Expression; readonly args: Arguments }
    | { readonly kind: 'test'; readonly name: string; readonly of: Expression; readonly args: Arguments }
    | {
        readonly kind: 'choice';
        readonly condition: Expression;
        readonly then: Expression;
        readonly otherwise?: Expression;
      }
    | { readonly kind: 'and' | 'or' | 'in'; readonly left: Expression; readonly right: Expression }
    | { readonly kind: 'not' | 'negative' | 'positive'; readonly of: Expression }
    | {
        readonly kind: 'binary';
        readonly operator: BinaryOperator;
        readonly left: Expression;
        readonly right: Expression;
      }
    | { readonly kind: 'compare'; readonly first: Expression; readonly rest: readonly Comparison[] }
    | { readonly kind: 'capture'; readonly body: readonly Statement[] }
    | { readonly kind: 'caller'; readonly parameters: readonly Parameter[]; readonly body: readonly Statement[] }
  );

export type Comparison = { readonly operator: CompareOperator; readonly right: Expression };

export type Statement = At &
  (
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'print'; readonly value: Expression }
    | {
        readonly kind: 'if';
        readonly condition: Expression;
        readonly then: readonly Statement[];
        readonly otherwise: readonly Statement[];
      }
    | {
        readonly kind: 'for';
        readonly names: readonly string[];
        readonly of: Expression;
        readonly body: readonly Statement[];
        readonly otherwise: readonly Statement[];
      }
    | { readonly kind: 'set'; readonly names: readonly string[]; readonly value: Expression }
    | {
        readonly kind: 'macro';
        readonly name: string;
        readonly parameters: readonly Parameter[];
        readonly body: readonly Statement[];
      }
    | { readonly kind: 'block'; readonly body: readonly Statement[] }
    | {
        readonly kind: 'switch';
        readonly of: Expression;
        readonly cases: readonly { readonly value: Expression; readonly body: readonly Statement[] }[];
        readonly otherwise: readonly Statement[];
      }
    /** `include`, `import`, `from` and `extends`: there are no other templates. */
    | { readonly kind: 'other-template' }
  );
