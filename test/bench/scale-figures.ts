import type { Budget, Figure } from './figure.js';

/** How much history there is, and how much waits. */
export interface Size {
  finished: number;
  waiting: number;
}

/** What an operation costs at one size, and beside it with hardly any history. */
export interface Cost {
  operation: string;
  unit: 'µs' | 'ms' | 'MB';
  /** One number a round; round i of both were measured one right after the other. */
  rounds: number[];
  reference: number[];
}

/** Finished tasks that the daemon beside the measured one has. */
export const REFERENCE_FINISHED = 1000;

/** Times what it costs with hardly any history. At 1.11 × there are 0.9 × as many reads in the same time. */
const BUDGETS: Record<string, number> = {
  'status of a finished task': 1.11,
  submit: 1.2,
  'submit, elapsed': 1.2,
  dispatch: 1.2,
  'dispatch, elapsed': 1.2,
  metrics: 1.2,
  'start-up': 2,
};

const number = (n: number) => n.toLocaleString('en');

/** @param judged whether this is the size that the budgets are for */
export function scaleFigure(cost: Cost, size: Size, judged: boolean): Figure {
  const { operation, unit, rounds, reference } = cost;
  const bound = BUDGETS[operation];
  const budget: Budget | undefined =
    judged && bound !== undefined ? { of: 'ratio', at_most: bound } : undefined;
  return {
    name: `${operation}, ${sizeText(size)}`,
    unit,
    meaning: meaningOf(operation, unit, sizeText(size)),
    rounds,
    reference: { name: `${number(REFERENCE_FINISHED)} finished`, unit, rounds: reference },
    ...(budget !== undefined && { budget }),
  };
}

function meaningOf(operation: string, unit: Cost['unit'], size: string): string {
  const what = unit === 'µs' && !operation.endsWith('elapsed') ? 'Processor time' : 'What it takes';
  return `${what} for one ${operation}, with ${size} tasks in the database.`;
}

function sizeText({ finished, waiting }: Size): string {
  return `${number(finished)} finished${waiting === 0 ? '' : ` and ${number(waiting)} waiting`}`;
}

const NAME = /^(?<operation>.+), (?<finished>[\d,]+) finished(?: and (?<waiting>[\d,]+) waiting)?$/;

/** What the name of a figure of {@link scaleFigure} says; undefined for others. */
export function parseName(name: string): ({ operation: string } & Size) | undefined {
  const { operation, finished, waiting } = NAME.exec(name)?.groups ?? {};
  if (operation === undefined) return undefined;
  const value = (text = '0') => Number(text.replaceAll(',', ''));
  return { operation, finished: value(finished), waiting: value(waiting) };
}
