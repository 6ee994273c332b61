// A reporter for `node --test` that machines read: one line of JSON a test, after a mark that finds it in a console log.
export const mark = '@ringside-test ';

/** Error and cause in words; node wraps what a test threw. */
function reason(error) {
  const cause = error?.cause instanceof Error ? error.cause : error;
  return cause?.stack ?? cause?.message ?? String(cause);
}

function outcome(type, data) {
  if (data.skip !== undefined || data.todo !== undefined) return 'skipped';
  return type === 'test:pass' ? 'passed' : 'failed';
}

export default async function* report(source) {
  const path = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      path[data.nesting] = data.name;
      path.length = data.nesting + 1;
    }
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const result = outcome(type, data);
    const causedBelow = data.details.error?.failureType === 'subtestsFailed';
    // A suite is no test; it counts only when it failed by itself, e.g. in a hook, or was skipped with all its tests.
    if (data.details.type === 'suite' && (result === 'passed' || causedBelow)) continue;
    const event = {
      result,
      name: [...path.slice(0, data.nesting), data.name].join(' > '),
      milliseconds: Math.round(data.details.duration_ms),
      ...(result === 'failed' && { error: reason(data.details.error) }),
      ...(typeof data.skip === 'string' && { why: data.skip }),
    };
    yield `\n${mark}${JSON.stringify(event)}\n`;
  }
}
