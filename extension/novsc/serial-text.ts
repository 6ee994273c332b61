/** Turns the bytes of a serial line into what a VS Code terminal shows. */

/**
 * Decodes UTF-8 across the borders of chunks, and gives every line feed its carriage return: many small kernels print
 * a bare LF, which a terminal would show as stairs.
 */
export class SerialText {
  #decoder = new TextDecoder('utf-8');
  #afterReturn = false;

  /** @param base64 bytes as they came from the guest */
  push(base64: string): string {
    const text = this.#decoder.decode(Buffer.from(base64, 'base64'), { stream: true });
    let shown = '';
    for (const character of text) {
      shown += character === '\n' && !this.#afterReturn ? '\r\n' : character;
      this.#afterReturn = character === '\r';
    }
    return shown;
  }
}

/** What the user typed, as the base64 of the bytes that the guest's serial port receives. */
export function typedBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
