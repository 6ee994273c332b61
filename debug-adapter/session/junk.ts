/** For fuzz tests: what a hostile client puts into its requests. */
import fc from 'fast-check';

/** What stands where something else should. */
export const junk = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      null,
      true,
      '',
      '0x',
      '0xffffffffffffffff',
      '0x0',
      '$rip',
      '*(int*)0',
      '((((',
      'showcase',
      -1,
      0,
      1,
      2,
      2 ** 53,
    ],
    ...[Number.NaN, 'x'.repeat(10_000), [], {}, [[]], '__proto__', '%s%n', '\u0000', '../..'],
  ),
  fc.integer(),
  fc.double(),
  fc.string(),
  fc.array(fc.anything({ maxDepth: 1, withNullPrototype: false }), { maxLength: 3 }),
);
