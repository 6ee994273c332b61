/** Registers by a stub: all by one packet, one by one where it can. */
import { bytesToHex, hexToBytes } from '../../hypervisor-core/protocol/rsp.ts';
import type { StubLine } from './stub-line.ts';
import { bytesOf, check, expectOk } from './stub-replies.ts';
import { type StubRegister, TargetError } from './target.ts';

export class StubRegisters {
  readonly #line: StubLine;

  constructor(line: StubLine) {
    this.#line = line;
  }

  /** Values by name, little-endian, as far as the stub tells them. */
  async readAll(thread: number): Promise<ReadonlyMap<string, Uint8Array>> {
    const { client, stub } = this.#line;
    const payload = check(await this.#line.onThread(thread, () => client.request('g')), 'read the registers');
    const values = new Map<string, Uint8Array>();
    let at = 0;
    for (const { name, bits } of stub.registers) {
      const digits = payload.slice(at, at + bits / 4);
      at += bits / 4;
      const bytes = digits.length === bits / 4 ? hexToBytes(digits) : undefined;
      if (bytes) values.set(name, bytes);
    }
    return values;
  }

  async read(thread: number, name: string): Promise<Uint8Array> {
    const { client, stub } = this.#line;
    const { regnum } = this.#register(name);
    if (!stub.oneRegister) {
      const value = (await this.readAll(thread)).get(name);
      if (!value) throw new TargetError(`${this.#line.name} does not tell ${name}.`);
      return value;
    }
    const reply = await this.#line.onThread(thread, () => client.request(`p${regnum.toString(16)}`));
    return bytesOf(check(reply, `read ${name}`), `read ${name}`);
  }

  async write(thread: number, name: string, value: Uint8Array): Promise<void> {
    const { client } = this.#line;
    const { regnum } = this.#register(name);
    const packet = `P${regnum.toString(16)}=${bytesToHex(value)}`;
    const reply = await this.#line.onThread(thread, () => client.request(packet));
    expectOk(reply === '' ? await this.#writeAmongAll(thread, regnum, value) : reply, `write ${name}`);
  }

  /** `G`, for stubs that write no register by itself. */
  #writeAmongAll(thread: number, regnum: number, value: Uint8Array): Promise<string> {
    const { client, stub } = this.#line;
    return this.#line.onThread(thread, async () => {
      const all = check(await client.request('g'), 'read the registers');
      const digits = (registers: readonly StubRegister[]) => registers.reduce((sum, { bits }) => sum + bits / 4, 0);
      const at = digits(stub.registers.filter((register) => register.regnum < regnum));
      return client.request(`G${all.slice(0, at)}${bytesToHex(value)}${all.slice(at + 2 * value.length)}`);
    });
  }

  #register(name: string): StubRegister {
    const found = this.#line.stub.registers.find((register) => register.name === name);
    if (!found) throw new TargetError(`${this.#line.name} has no register "${name}".`);
    return found;
  }
}
