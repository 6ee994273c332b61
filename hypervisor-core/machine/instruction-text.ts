/** Names the instruction that a guest stopped at, for messages. */

/**
 * The first instruction of `code` in Intel syntax, `fnstsw ax`; undefined when the bytes are none. The decoder is loaded
 * at the first call: most machines never need it.
 */
export function instructionText(code: Uint8Array, bits: 16 | 32 | 64): string | undefined {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax }: typeof import('iced-x86') = require('iced-x86');
  const decoder = new Decoder(bits, code, DecoderOptions.None);
  const instruction = decoder.decode();
  const formatter = new Formatter(FormatterSyntax.Intel);
  try {
    return instruction.isInvalid ? undefined : formatter.format(instruction);
  } finally {
    formatter.free();
    instruction.free();
    decoder.free();
  }
}
