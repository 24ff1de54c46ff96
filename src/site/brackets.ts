/** A word with ranges in brackets, `r[1-2]n[01-16]`: how many words it stands for, and those words. */
export type BracketWord = {
  readonly count: number;
  /** In order, the last bracket counting fastest. */
  words(): readonly string[];
};

/** The fault of a word, in words that follow its text. */
export type BracketProblem = { readonly problem: string };

/** Far more machines than one server boots; a slip such as `[1-999999999]` is reported instead of filling the memory. */
export const MOST_WORDS = 65_536;

/**
 * Reads a word in which brackets hold numbers and ranges of them, `node[01-03,07,10-12]`, as pdsh and clush do: a number that
 * begins with 0 sets the width of its range. With `radix` 16 the numbers are hexadecimal, as in MAC addresses. A word without
 * brackets expands to itself. Expands to at most `MOST_WORDS` words.
 */
export function readBrackets(text: string, radix: 10 | 16 = 10): BracketWord | BracketProblem {
  const parts = text.split(/\[([^[\]]*)\]/);
  const literals = parts.filter((_, i) => i % 2 === 0);
  if (literals.some((literal) => /[[\]]/.test(literal))) return { problem: 'has a bracket that has no partner' };

  const lists: (readonly Span[])[] = [];
  let count = 1;
  for (const content of parts.filter((_, i) => i % 2 === 1)) {
    const spans = readSpans(content, radix);
    if ('problem' in spans) return spans;
    count *= spans.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    if (count > MOST_WORDS) return { problem: `stands for more than ${MOST_WORDS} names` };
    lists.push(spans);
  }
  const words = () =>
    lists.reduce<readonly string[]>(
      (heads, spans, i) => {
        const tails = spans.flatMap((span) => numbersOf(span, radix).map((number) => number + literals[i + 1]));
        return heads.flatMap((head) => tails.map((tail) => head + tail));
      },
      [literals[0] ?? ''],
    );
  return { count, words };
}

/** Consecutive numbers, both ends included, written with `width` digits at least. */
type Span = { readonly first: number; readonly last: number; readonly width: number };

function readSpans(content: string, radix: 10 | 16): readonly Span[] | BracketProblem {
  const digits = radix === 16 ? /^([0-9a-f]{1,12})(?:-([0-9a-f]{1,12}))?$/i : /^([0-9]{1,15})(?:-([0-9]{1,15}))?$/;
  const spans: Span[] = [];
  for (const item of content.split(',')) {
    const [, from, to = from] = digits.exec(item.trim()) ?? [];
    if (from === undefined || to === undefined) {
      return { problem: `has "[${content}]", which is not a list of numbers and ranges such as [01-16,20]` };
    }
    const first = Number.parseInt(from, radix);
    const last = Number.parseInt(to, radix);
    if (last < first) return { problem: `has the range ${from}-${to}, which runs backwards` };
    if (isPadded(to) && to.length !== from.length) {
      return { problem: `has the range ${from}-${to}, whose ends are not of one width` };
    }
    spans.push({ first, last, width: isPadded(from) ? from.length : 1 });
  }
  return spans;
}

function numbersOf({ first, last, width }: Span, radix: 10 | 16): readonly string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i).toString(radix).padStart(width, '0'));
}

/** Whether a number has leading zeros, which set the width of the numbers that follow it. */
export function isPadded(digits: string): boolean {
  return digits.length > 1 && digits.startsWith('0');
}
