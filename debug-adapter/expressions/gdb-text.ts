/** Brings gdb's texts and ours to one form, for tests that compare them. */

/** gdb says the type of a pointer before it, pads strings with NULs, prints more digits, marks unknown flags, and counts offsets in decimal. */
export function normalText(text: string): string {
  return text
    .replace(/^\(.*\) (?=(?:@0x|0x[\da-f]+(?: [<"]|$)))/, '')
    .replace(/(\\000)+"/g, '"')
    .replace(/'\\000' <repeats \d+ times>/g, '""')
    .replace(/unknown: /g, '')
    .replace(/\+(\d+)>/g, (_, offset: string) => `+0x${Number(offset).toString(16)}>`)
    .replace(/^\((0x[\da-f]+)\)$/, (_, hex: string) => `${Number(hex)}`)
    .replace(/-?\d+\.\d+(e[+-]\d+)?/g, (number) => Number(Number(number).toPrecision(7)).toString());
}

/** gdb writes the parameters of functions without a prototype as nothing, and an int too many into clang's __int128. */
export function normalType(type: string): string {
  return type.replace(/\(\)$/, '(void)').replace('int __int128', '__int128');
}

export interface GdbAnswer {
  readonly text: string;
  readonly type: string;
}

/** gdb commands that print an expression between marks that {@link gdbAnswers} finds. */
export function gdbCommands(expression: string, format = ''): string[] {
  return [`echo @@${format} ${expression}\\n`, `print${format} ${expression}`, `whatis ${expression}`];
}

/** What gdb printed, by format and expression as they were given. */
export function gdbAnswers(output: string): Map<string, GdbAnswer> {
  const answers = new Map<string, GdbAnswer>();
  for (const part of output.split('@@').slice(1)) {
    const [key = '', text = '', type = ''] = part.split('\n');
    answers.set(key.trim(), { text: text.replace(/^\$\d+ = /, ''), type: type.replace('type = ', '') });
  }
  return answers;
}
