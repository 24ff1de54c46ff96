const CONTEXT = 3;

/** A change in one place as a unified diff; empty if there is none. */
export function lineDiff(file: string, before: string, after: string): string {
  if (before === after) return '';
  const old = linesOf(before);
  const now = linesOf(after);
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++;

  const from = Math.max(0, head - CONTEXT);
  const lead = old.slice(from, head);
  const gone = old.slice(head, old.length - tail);
  const come = now.slice(head, now.length - tail);
  const follow = old.slice(old.length - tail, old.length - tail + CONTEXT);
  const span = (middle: readonly string[]): string => {
    const count = lead.length + middle.length + follow.length;
    return `${count === 0 ? from : from + 1},${count}`;
  };
  const marked = [
    ...lead.map((line) => ` ${line}`),
    ...gone.map((line) => `-${line}`),
    ...come.map((line) => `+${line}`),
    ...follow.map((line) => ` ${line}`),
  ];
  const body = marked.map((line) => (line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`));
  return [`--- ${file}\n`, `+++ ${file}\n`, `@@ -${span(gone)} +${span(come)} @@\n`, ...body].join('');
}

function linesOf(text: string): readonly string[] {
  return text.split(/(?<=\n)/).filter((line) => line !== '');
}
