/** Guest memory by a stub, in packets of the size that it takes: virtual as a vCPU sees it, or physical by QEMU's mode. */
import { bytesToHex } from '../../hypervisor-core/protocol/rsp.ts';
import type { StubLine } from './stub-line.ts';
import { bytesOf, expectOk, isError } from './stub-replies.ts';
import { TargetError } from './target.ts';

const PAGE = 4096n;

export class StubMemory {
  readonly #line: StubLine;

  constructor(line: StubLine) {
    this.#line = line;
  }

  /** Bytes up to the first that cannot be read. */
  read(thread: number, address: bigint, length: number): Promise<Uint8Array> {
    return this.#line.onThread(thread, () => this.#read(address, length));
  }

  write(thread: number, address: bigint, data: Uint8Array): Promise<void> {
    return this.#line.onThread(thread, () => this.#write(address, data));
  }

  readPhysical(address: bigint, length: number): Promise<Uint8Array> {
    return this.#physically(() => this.#read(address, length));
  }

  writePhysical(address: bigint, data: Uint8Array): Promise<void> {
    return this.#physically(() => this.#write(address, data));
  }

  async #read(address: bigint, length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let done = 0; done < length; ) {
      const wanted = Math.min(this.#line.stub.chunk, length - done);
      const part = await this.#readChunk(address + BigInt(done), wanted);
      parts.push(part);
      if (part.length < wanted) break;
      done += wanted;
    }
    return parts.length === 1 ? (parts[0] ?? new Uint8Array()) : Buffer.concat(parts);
  }

  async #write(address: bigint, data: Uint8Array): Promise<void> {
    const { client, stub } = this.#line;
    for (let at = 0; at < data.length; at += stub.chunk) {
      const part = data.subarray(at, at + stub.chunk);
      const where = `${BigInt.asUintN(64, address + BigInt(at)).toString(16)},${part.length.toString(16)}`;
      const reply = await client.request(`M${where}:${bytesToHex(part)}`);
      expectOk(reply, `write memory at 0x${address.toString(16)}`);
    }
  }

  /** Has memory packets mean guest-physical addresses during `action`. */
  #physically<Result>(action: () => Promise<Result>): Promise<Result> {
    const { client, name, stub } = this.#line;
    if (!stub.physicalMemory) throw new TargetError(`${name} does not show guest-physical memory.`);
    return this.#line.together(async () => {
      expectOk(await client.request('Qqemu.PhyMemMode:1'), 'look at guest-physical memory');
      try {
        return await action();
      } finally {
        expectOk(await client.request('Qqemu.PhyMemMode:0'), 'look at guest-virtual memory');
      }
    });
  }

  /** Some stubs refuse a whole read for one page that is not mapped: then the pages before it are read by themselves. */
  async #readChunk(address: bigint, length: number): Promise<Uint8Array> {
    const packet = `m${BigInt.asUintN(64, address).toString(16)},${length.toString(16)}`;
    const reply = await this.#line.client.request(packet);
    if (!isError(reply)) return bytesOf(reply, 'read memory').subarray(0, length);
    const pages: Uint8Array[] = [];
    for (let done = 0; done < length; ) {
      const at = address + BigInt(done);
      const wanted = Math.min(Number(PAGE - (at % PAGE)), length - done);
      if (wanted === length) break;
      const page = await this.#readChunk(at, wanted);
      pages.push(page);
      if (page.length < wanted) break;
      done += wanted;
    }
    return Buffer.concat(pages);
  }
}
