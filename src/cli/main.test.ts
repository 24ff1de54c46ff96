import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { program } from './main.ts';

/** Every command that does something, with the words that call it. */
function commandsOf(command: Command, words: readonly string[] = []): readonly (readonly [string, Command])[] {
  const own = command.commands.length === 0 || command.registeredArguments.length > 0;
  return [
    ...(own ? [[words.join(' '), command] as const] : []),
    ...command.commands.flatMap((sub) => commandsOf(sub, [...words, sub.name()])),
  ];
}

test('every command takes --site and --state', () => {
  const commands = commandsOf(program);
  assert.ok(commands.length > 30);
  const lacking = commands.filter(([, { options }]) => {
    const names = options.map(({ long }) => long);
    return !names.includes('--site') || !names.includes('--state');
  });
  assert.deepEqual(
    lacking.map(([words]) => words),
    [],
  );
});
