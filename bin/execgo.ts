#!/usr/bin/env node
const [name, ...rest] = process.argv.slice(2);

if (name === 'internal-supervisor') {
  const { supervisorMain } = await import('../src/supervisor/main.js');
  await supervisorMain(rest);
} else {
  const { main } = await import('../src/cli/main.js');
  process.exitCode = await main(process.argv.slice(2));
}
