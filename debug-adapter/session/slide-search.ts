/**
 * Finds by itself how far KASLR moved the kernel, and moves the symbols there. It looks at each stop, and has the guest
 * stop quietly at its first page faults: Linux takes one on its way to start_kernel, when it has its own IDT.
 */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import { kernelSlide, mayBeMoved } from '../symbols/kernel-slide.ts';
import type { OpenSymbols } from '../symbols/symbols.ts';
import type { ExceptionFilters } from './exception-filters.ts';
import type { Guest, StartArguments } from './guest.ts';
import type { StopState } from './stop-state.ts';

const PAGE_FAULT = 14;

export class SlideSearch {
  private constructor(
    private readonly guest: Guest,
    private readonly symbols: OpenSymbols,
    private readonly exceptions: ExceptionFilters,
  ) {}

  /**
   * Undefined where nothing can have moved: an ELF file that is booted itself, not by firmware, is loaded where it was linked. The guest
   * must stand still.
   */
  static async begin(
    guest: Guest,
    args: StartArguments | undefined,
    exceptions: ExceptionFilters,
  ): Promise<SlideSearch | undefined> {
    const { symbols, target } = guest;
    const asLinked = args?.request === 'launch' && !args.firmware && symbols?.path === args.program;
    await exceptions.watchQuietly(target, []);
    // What is beside the main image is where its files say.
    if (!symbols || asLinked || !mayBeMoved(symbols.main)) return undefined;
    symbols.moveBy(0n);
    await exceptions.watchQuietly(target, [PAGE_FAULT]);
    return new SlideSearch(guest, symbols.main, exceptions);
  }

  /** What to say of what was found at this stop, after which the search is over; undefined where nothing was. */
  async look(state: StopState): Promise<string | undefined> {
    const { thread } = state.stop;
    const idtBase = (await state.systemValues(thread)).get('idtr_base');
    const lstar = await this.lstar(thread);
    const slide = await kernelSlide(this.symbols, {
      read: state.reader(thread),
      ...(idtBase !== undefined && { idtBase }),
      ...(lstar !== undefined && { lstar }),
    });
    if (slide === undefined) return undefined;
    this.symbols.moveBy(slide);
    await this.exceptions.watchQuietly(this.guest.target, []);
    return slide === 0n ? '' : `The kernel runs ${hex(slide)} above its link address (KASLR); its symbols follow.\n`;
  }

  private async lstar(thread: number): Promise<bigint | undefined> {
    const vcpu = thread - 1;
    const msrs = await this.guest.target.inspect?.sendRequest(inspect.msrs, { vcpu }).catch(() => []);
    const found = msrs?.find(({ name }) => name === 'LSTAR');
    return found && BigInt(found.value);
  }
}
