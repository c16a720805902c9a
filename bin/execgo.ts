#!/usr/bin/env node
const [name, ...rest] = process.argv.slice(2);

// No top-level await, so that the build can make one CommonJS file of it.
void (name === 'internal-supervisor' ? supervise(rest) : command());

async function supervise(argv: string[]): Promise<void> {
  const { supervisorMain } = await import('../src/supervisor/main.js');
  await supervisorMain(argv);
}

async function command(): Promise<void> {
  const { main } = await import('../src/cli/main.js');
  process.exitCode = await main(process.argv.slice(2));
}
