/**
 * The GDB remote serial protocol on the wire (GDB manual, appendix E.1): `$payload#checksum`, `}` escapes, run lengths,
 * acknowledgements, the ^C byte and `%` notifications. What payloads mean is the stub's and the client's business.
 * Payloads are latin-1 strings, one character a byte, because nearly all of them are text.
 */

/** Longest packet body on the wire, in bytes, that either side accepts: what `PacketSize` announces. */
export const MAX_PACKET = 0x20000;

export type RspEvent =
  | { readonly kind: 'packet'; readonly payload: string }
  | { readonly kind: 'notification'; readonly payload: string }
  | { readonly kind: 'ack' | 'nak' }
  /** The byte 0x03 outside a packet: the client asks for a stop. */
  | { readonly kind: 'interrupt' }
  /** A packet arrived and cannot be used; its content is lost. */
  | { readonly kind: 'bad'; readonly reason: 'checksum' | 'escape' | 'run-length' | 'too-long' };

const DOLLAR = 0x24;
const PERCENT = 0x25;
const HASH = 0x23;
const STAR = 0x2a;
const ESCAPE = 0x7d;
const ESCAPE_XOR = 0x20;
/** The bytes that are escaped in a body. */
const SPECIALS = [DOLLAR, HASH, STAR, ESCAPE];
/** A run count character n stands for n - 29 further copies. */
const RUN_BIAS = 29;

/** The packet around `payload`, escaped and summed. */
export function encodePacket(payload: string | Uint8Array): Uint8Array {
  return frame(DOLLAR, payload);
}

/** The same for a notification. */
export function encodeNotification(payload: string | Uint8Array): Uint8Array {
  return frame(PERCENT, payload);
}

/** Written for packets of 128 KiB, of which a debugger reads many: native searches and copies, and sums by words. */
function frame(start: number, payload: string | Uint8Array): Uint8Array {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : viewOf(payload);
  const escapes = SPECIALS.some((special) => body.includes(special));
  const packet = Buffer.allocUnsafe((escapes ? 2 : 1) * body.length + 4);
  packet[0] = start;
  const end = escapes ? copyEscaped(body, packet, 1) : 1 + body.copy(packet, 1);
  const length = end + packet.write(`#${hexByte(checksum(packet.subarray(1, end)))}`, end, 'latin1');
  return packet.subarray(0, length);
}

/** Copies from one special byte to the next; gives the index behind the last byte written. */
function copyEscaped(body: Buffer, packet: Buffer, start: number): number {
  const find = (special: number, from: number) => {
    const at = body.indexOf(special, from);
    return at < 0 ? body.length : at;
  };
  const nearest = SPECIALS.map((special) => find(special, 0));
  for (let from = 0, to = start; ; ) {
    const at = Math.min(...nearest);
    to += body.copy(packet, to, from, at);
    if (at === body.length) return to;
    const byte = body[at] ?? 0;
    packet[to++] = ESCAPE;
    packet[to++] = byte ^ ESCAPE_XOR;
    from = at + 1;
    const which = SPECIALS.indexOf(byte);
    nearest[which] = find(byte, from);
  }
}

/** Every other byte of a word, in lanes of 16 bits, of which only the lower 8 count. */
const LANES = 0x00ff00ff;

/** The sum of the bytes on the wire, modulo 256: four at a time. */
function checksum(body: Uint8Array): number {
  const words = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const end = body.length & -4;
  let even = 0;
  let odd = 0;
  for (let at = 0; at < end; at += 4) {
    const word = words.getInt32(at, true);
    even = (even + (word & LANES)) & LANES;
    odd = (odd + ((word >>> 8) & LANES)) & LANES;
  }
  let sum = even + (even >>> 16) + odd + (odd >>> 16);
  for (let at = end; at < body.length; at++) sum += body[at] ?? 0;
  return sum & 0xff;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

export interface RspDecoderOptions {
  /**
   * Whether `*` starts a run length. True for a client; false for a stub, since only replies are run-length encoded and
   * clients send a plain `*` in binary data.
   */
  readonly runLengths: boolean;
  /** Longest body, on the wire and after expansion. */
  readonly maxPacket?: number;
}

/** Cuts a byte stream into {@link RspEvent}s. Any input is survived; memory stays within a few times the longest packet. */
export class RspDecoder {
  readonly #runLengths: boolean;
  readonly #maxPacket: number;
  #state: 'idle' | 'body' | 'sum1' | 'sum2' = 'idle';
  #start = DOLLAR;
  /** Holds the first {@link #length} bytes of the body; grows by doubling up to the cap. */
  #body = new Uint8Array(256);
  #length = 0;
  #sum = '';

  constructor(options: RspDecoderOptions) {
    this.#runLengths = options.runLengths;
    this.#maxPacket = options.maxPacket ?? MAX_PACKET;
  }

  push(chunk: Uint8Array): RspEvent[] {
    const events: RspEvent[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'body') at = this.#takeBody(chunk, at);
      else {
        const event = this.#takeByte(chunk[at] ?? 0);
        if (event) events.push(event);
        at++;
      }
    }
    return events;
  }

  #begin(start: number): undefined {
    this.#state = 'body';
    this.#start = start;
    this.#length = 0;
    return undefined;
  }

  #takeByte(byte: number): RspEvent | undefined {
    if (this.#state === 'sum1') {
      this.#sum = String.fromCharCode(byte);
      this.#state = 'sum2';
      return undefined;
    }
    if (this.#state === 'sum2') {
      this.#state = 'idle';
      return this.#finish(this.#sum + String.fromCharCode(byte));
    }
    if (byte === DOLLAR || byte === PERCENT) return this.#begin(byte);
    if (byte === 0x2b) return { kind: 'ack' };
    if (byte === 0x2d) return { kind: 'nak' };
    if (byte === 0x03) return { kind: 'interrupt' };
    return undefined;
  }

  /** Takes body bytes up to `#`. A `$` in a body can only be a new packet after a lost end. */
  #takeBody(chunk: Uint8Array, from: number): number {
    const hash = chunk.indexOf(HASH, from);
    const end = hash < 0 ? chunk.length : hash;
    const part = chunk.subarray(from, end);
    const restart = part.lastIndexOf(DOLLAR);
    if (restart >= 0) this.#begin(DOLLAR);
    const body = part.subarray(restart + 1);
    this.#append(body);
    if (hash < 0) return chunk.length;
    this.#state = 'sum1';
    return hash + 1;
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length <= this.#maxPacket) {
      if (length > this.#body.length) {
        const grown = new Uint8Array(Math.min(this.#maxPacket, Math.max(length, 2 * this.#body.length)));
        grown.set(this.#body.subarray(0, this.#length));
        this.#body = grown;
      }
      this.#body.set(bytes, this.#length);
    }
    this.#length = Math.min(length, this.#maxPacket + 1);
  }

  #finish(sum: string): RspEvent {
    if (this.#length > this.#maxPacket) return { kind: 'bad', reason: 'too-long' };
    const body = this.#body.subarray(0, this.#length);
    if (!/^[0-9a-fA-F]{2}$/.test(sum) || Number.parseInt(sum, 16) !== checksum(body)) {
      return { kind: 'bad', reason: 'checksum' };
    }
    const payload = expand(body, this.#runLengths, this.#maxPacket);
    if (typeof payload !== 'string') return payload;
    return { kind: this.#start === PERCENT ? 'notification' : 'packet', payload };
  }
}

function expand(body: Uint8Array, runLengths: boolean, limit: number): string | (RspEvent & { kind: 'bad' }) {
  const bytes = viewOf(body);
  if (!bytes.includes(ESCAPE) && !(runLengths && bytes.includes(STAR))) return bytes.toString('latin1');
  const out: number[] = [];
  for (let at = 0; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte === ESCAPE) {
      const next = body[++at];
      if (next === undefined) return { kind: 'bad', reason: 'escape' };
      out.push(next ^ ESCAPE_XOR);
    } else if (byte === STAR && runLengths) {
      const count = (body[++at] ?? 0) - RUN_BIAS;
      const last = out.at(-1);
      if (count < 3 || last === undefined) return { kind: 'bad', reason: 'run-length' };
      if (out.length + count > limit) return { kind: 'bad', reason: 'too-long' };
      for (let copy = 0; copy < count; copy++) out.push(last);
    } else out.push(byte);
  }
  return Buffer.from(out).toString('latin1');
}

/** The same bytes as a Buffer, which searches and converts natively. */
function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Two lower-case digits a byte. */
export function bytesToHex(bytes: Uint8Array): string {
  return viewOf(bytes).toString('hex');
}

/** The bytes behind pairs of digits; undefined for an odd count or anything that is not a digit. */
export function hexToBytes(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = Buffer.from(text, 'hex');
  return bytes.length === text.length / 2 ? bytes : undefined;
}

/** Text inside packets travels as hex of its UTF-8 bytes (`qRcmd`, `O` packets, `qThreadExtraInfo`). */
export function textToHex(text: string): string {
  return Buffer.from(text, 'utf8').toString('hex');
}

/** An unsigned number as packets write it: 1 to 16 hexadecimal digits, no prefix. Undefined for anything else. */
export function parseNumber(text: string): bigint | undefined {
  return /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** A thread-id (GDB manual, E.2): a positive number, `any` (0) or `all` (-1); the process part of `pP.T` is dropped. */
export type ThreadId = number | 'any' | 'all';

/** Parses a thread-id with or without a process part; undefined for anything else. */
export function parseThreadId(text: string): ThreadId | undefined {
  const match = /^(?:p(?:-1|[0-9a-fA-F]{1,8})(?:\.|$))?(-1|[0-9a-fA-F]{1,8})?$/.exec(text);
  if (!match || text === '') return undefined;
  const [, thread] = match;
  if (thread === undefined || thread === '-1') return 'all';
  const id = Number.parseInt(thread, 16);
  return id === 0 ? 'any' : id;
}
