import {
  DefaultReporter,
  type SerializedError,
  type TestModule,
  type TestRunEndReason,
  type Vitest,
} from 'vitest/node';
import { type Before, findLeaks, lookAround } from './leaks.js';
import { RUN_DIR_VARIABLE } from './run-dir.js';

/** Time for what is ending to end, in milliseconds; a clean run waits for none of it. */
const SETTLE_MS = 5_000;

/** Vitest's default reporter, and a run fails too when a test was left out or something was left behind. */
export default class StrictReporter extends DefaultReporter {
  private before: Before | undefined;

  override onInit(ctx: Vitest): void {
    super.onInit(ctx);
    this.before = lookAround();
  }

  /** The problems go where errors outside of tests go: into the summary, which stays the end of the output. */
  // eslint-disable-next-line @typescript-eslint/no-misused-promises -- vitest awaits every reporter
  override async onTestRunEnd(
    modules: readonly TestModule[],
    errors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): Promise<void> {
    const problems = reason === 'interrupted' ? [] : [...this.leftOut(modules), ...(await this.leftBehind())];
    if (problems.length > 0) process.exitCode = 1;
    for (const { name, errors: firstTry } of flaky(modules)) {
      this.ctx.logger.warn(`passed at the second try only, to be looked into: ${name}`);
      for (const error of firstTry) this.ctx.logger.printError(error);
    }
    const more = problems.map((message) => ({ name: 'Error', message, stacks: [] }));
    super.onTestRunEnd(modules, [...errors, ...more], problems.length > 0 ? 'failed' : reason);
  }

  /** Skipped tests, and tests to be written; not those that a name pattern on the command line leaves out. */
  private leftOut(modules: readonly TestModule[]): string[] {
    if (this.ctx.config.testNamePattern !== undefined) return [];
    return modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map(
        (test) => `test was left out: ${module.moduleId} > ${test.fullName}`,
      ),
    );
  }

  private async leftBehind(): Promise<string[]> {
    const runDir = process.env[RUN_DIR_VARIABLE];
    return runDir === undefined || this.before === undefined ? [] : findLeaks(runDir, this.before, SETTLE_MS);
  }
}

/** Tests that failed first, each with what it failed of. */
function flaky(modules: readonly TestModule[]): { name: string; errors: readonly SerializedError[] }[] {
  return modules.flatMap((module) =>
    [...module.children.allTests('passed')]
      .filter((test) => test.diagnostic()?.flaky === true)
      .map((test) => ({ name: `${module.moduleId} > ${test.fullName}`, errors: test.result().errors ?? [] })),
  );
}
