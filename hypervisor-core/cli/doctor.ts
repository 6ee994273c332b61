/** `ringside doctor`: what this host's KVM really does, and what Ringside makes of it. */
import { parseArgs } from 'node:util';
import { probeHost } from '../machine/host-probe.ts';
import type { HostReport } from '../protocol/inspect.ts';
import { UsageError } from './usage-error.ts';

const DOCTOR_USAGE = `Usage: ringside doctor [--json]

Asks this machine's KVM what it can do, by running a few instructions. The exit status is 0 when guests can run.
`;

/** Prints the report; the exit status. */
export function doctor(args: readonly string[]): number {
  const { values } = parse(args);
  if (values.help) {
    process.stdout.write(DOCTOR_USAGE);
    return 0;
  }
  const report = probeHost();
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report));
  return report.ok ? 0 : 1;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
  } catch {
    throw new UsageError(`ringside doctor takes --json and nothing else, not "${args.join(' ')}"`);
  }
}

/** The report in words. */
export function reportText({ ok, problem, module, kernel, apiVersion, trap, facts }: HostReport): string {
  const lines = [`KVM on this machine: ${module}, Linux ${kernel}${ok ? `, API version ${apiVersion}` : ''}`];
  if (problem) lines.push('', `Guests cannot run here. ${problem.message}`, problem.remedy);
  else lines.push(`Software breakpoints: ${trap}`);
  const width = Math.max(0, ...facts.map(({ answer }) => answer.length)) + 2;
  if (facts.length > 0) lines.push('');
  for (const { question, answer, consequence } of facts) {
    lines.push(`${answer.padEnd(width)}${question}`);
    if (consequence !== undefined) lines.push(`${' '.repeat(width)}${consequence}`);
  }
  return `${lines.join('\n')}\n`;
}
