import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { program } from './main.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = globSync(['*.md', 'docs/*.md', 'examples/**/*.md'], { cwd: ROOT }).sort();

/** What a page has in code: blocks between fences, and words between backquotes. */
function codeIn(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const blocks = [...text.matchAll(/^```.*\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  const rest = text.replace(/^```.*\n[\s\S]*?^```/gm, '');
  return [
    ...blocks.flatMap((block) => block.split('\n')),
    ...[...rest.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code),
  ];
}

/** The command lines of this program in a line of code, in words, without what comes after them in the shell. */
function commandLines(code: string): readonly (readonly string[])[] {
  return [...code.matchAll(/(?:^|\s)(?:bin\/)?reveille ((?:'[^']*'|"[^"]*"|[^'"|>;&#])*)/g)].map(([, line = '']) =>
    [...line.matchAll(/'[^']*'|"[^"]*"|\S+/g)].map(([word]) => word.replaceAll(/['"]/g, '')),
  );
}

/** What is wrong with a command line, by the names of its commands and options; nothing if all of them are there. */
function problemOf(words: readonly string[]): string | undefined {
  let command: Command = program;
  let left = [...words];
  for (;;) {
    const next = command.commands.find((one) => one.name() === left[0]);
    if (!next) break;
    command = next;
    left = left.slice(1);
  }
  const isGroup = command.commands.length > 0 && command.registeredArguments.length === 0;
  if (isGroup && left[0] !== undefined && !left[0].startsWith('-')) return `there is no command ${left[0]}`;
  const options = left
    .slice(0, left.includes('--') ? left.indexOf('--') : undefined)
    .filter((word) => /^--?[a-z]/.test(word));
  const known = command.options.flatMap(({ long, short }) => [long, short]);
  const unknown = options
    .map((word) => word.split('=')[0] ?? word)
    .filter((word) => !known.includes(word) && word !== '--help');
  return unknown.length === 0 ? undefined : `${command.name()} has no option ${unknown.join(', ')}`;
}

describe('the command lines in the documents', () => {
  for (const page of PAGES) {
    it(`are there: ${page}`, () => {
      const lines = codeIn(page).flatMap(commandLines);
      const wrong = lines.flatMap((words) => {
        const problem = problemOf(words);
        return problem === undefined ? [] : [`reveille ${words.join(' ')}: ${problem}`];
      });
      assert.deepEqual(wrong, []);
    });
  }

  it('are found in them, and a wrong one would be noticed', () => {
    assert.ok(PAGES.flatMap(codeIn).flatMap(commandLines).length > 80);
    assert.deepEqual(commandLines('sudo bin/reveille lab up --site x && echo'), [['lab', 'up', '--site', 'x']]);
    assert.equal(problemOf(['lab', 'up', '--sight', 'x']), 'up has no option --sight');
    assert.equal(problemOf(['lab', 'fly']), 'there is no command fly');
    assert.equal(problemOf(['fly']), 'there is no command fly');
  });
});
