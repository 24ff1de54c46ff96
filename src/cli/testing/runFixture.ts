import type { Command } from 'commander';

export type Ran = { readonly out: string; readonly code: number };

/** Runs a command as the program does: what it printed, and what it would end with. */
export async function run(command: Command, args: readonly string[]): Promise<Ran> {
  const { log } = console;
  const before = process.exitCode;
  const lines: string[] = [];
  console.log = (text: string) => lines.push(text);
  process.exitCode = 0;
  try {
    await command.parseAsync([...args], { from: 'user' });
    return { out: lines.join('\n'), code: Number(process.exitCode) };
  } finally {
    console.log = log;
    process.exitCode = before;
  }
}
