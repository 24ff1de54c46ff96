import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Command, CommanderError } from 'commander';
import { programFor } from './program.ts';
import { blocksIn } from './testing/docsFixture.ts';

const program = await programFor([]);
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
  return [
    ...code.matchAll(
      /(?:^\s*(?:\$ )?|[|;&] *|sudo (?:-u \w+ )?|-- )(?:bin\/)?reveille ((?:'[^']*'|"[^"]*"|[^'"|>;&#])*)/g,
    ),
  ].map(([, line = '']) => [...line.matchAll(/'[^']*'|"[^"]*"|\S+/g)].map(([word]) => word.replaceAll(/['"]/g, '')));
}

/** The command lines of a page's blocks of shell, as they are typed; lines that end in a backslash go on. */
function typedIn(page: string): readonly (readonly string[])[] {
  return blocksIn(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))
    .flatMap(commandLines)
    .map((words) => words.map((word) => PLACEHOLDERS.get(word) ?? word));
}

/** What a page leaves to its reader, and a word that may stand there. */
const PLACEHOLDERS: ReadonlyMap<string, string> = new Map([
  ['MAC', '52:54:00:00:00:61'],
  ['ADDRESS', '10.0.0.2'],
]);

/** Has the program parse command lines and do nothing: arguments, options and their values are held against what it takes. */
function parser(): (words: readonly string[]) => Promise<string | undefined> {
  const disarm = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
    if (command.commands.length === 0 || command.registeredArguments.length > 0) command.action(() => {});
    command.commands.forEach(disarm);
  };
  disarm(program);
  return async (words) => {
    try {
      await program.parseAsync([...words], { from: 'user' });
      return undefined;
    } catch (error) {
      return error instanceof CommanderError && error.exitCode === 0 ? undefined : String(error);
    }
  };
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

  it('are taken by the program as they stand in blocks of shell, down to each argument', async () => {
    const parse = parser();
    const wrong: string[] = [];
    let tried = 0;
    for (const page of PAGES) {
      for (const words of typedIn(page)) {
        const problem = await parse(words);
        if (problem !== undefined) wrong.push(`${page}: reveille ${words.join(' ')}: ${problem}`);
        tried++;
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(tried > 60, `${tried} command lines`);
    for (const bad of [
      'status --sight x',
      'lease release',
      'node add',
      'check a b',
      'roll --max-unavailable none x',
      'fly',
    ])
      assert.notEqual(await parse(bad.split(' ')), undefined, bad);
  });

  it('call the program by one name', () => {
    const named = PAGES.flatMap((page) => codeIn(page).filter((line) => /\bbin\/reveille [a-z-]/.test(line)));
    assert.deepEqual(
      named.filter((line) => !line.includes('/opt/')),
      [],
    );
  });

  it('are found in them, and a wrong one would be noticed', () => {
    assert.ok(PAGES.flatMap(codeIn).flatMap(commandLines).length > 80);
    assert.deepEqual(commandLines('sudo bin/reveille lab up --site x && echo'), [['lab', 'up', '--site', 'x']]);
    assert.deepEqual(commandLines('runuser -u reveille -- reveille check | cat; reveille status'), [
      ['check'],
      ['status'],
    ]);
    assert.deepEqual(commandLines('install -g reveille -m 0750 x'), []);
    assert.equal(problemOf(['lab', 'up', '--sight', 'x']), 'up has no option --sight');
    assert.equal(problemOf(['lab', 'fly']), 'there is no command fly');
    assert.equal(problemOf(['fly']), 'there is no command fly');
  });
});
