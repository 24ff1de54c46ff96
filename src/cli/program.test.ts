import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { COMMANDS } from './commands.ts';
import { programFor } from './program.ts';

/** Every command that does something, with the words that call it. */
function commandsOf(command: Command, words: readonly string[] = []): readonly (readonly [string, Command])[] {
  const own = command.commands.length === 0 || command.registeredArguments.length > 0;
  return [
    ...(own ? [[words.join(' '), command] as const] : []),
    ...command.commands.flatMap((sub) => commandsOf(sub, [...words, sub.name()])),
  ];
}

test('every command takes --site and --state', async () => {
  const commands = commandsOf(await programFor([]));
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

test('a command that is named is made alone, and is the one of the whole program', async () => {
  const whole = await programFor(['--help']);
  assert.deepEqual(
    whole.commands.map((command) => command.name()),
    Object.keys(COMMANDS),
  );
  for (const name of Object.keys(COMMANDS)) {
    const { commands } = await programFor([name, '--json']);
    assert.deepEqual(
      commands.map((command) => [command.name(), command.helpInformation()]),
      whole.commands.filter((one) => one.name() === name).map((one) => [name, one.helpInformation()]),
    );
  }
});
