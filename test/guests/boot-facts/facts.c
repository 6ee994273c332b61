/*
 * Prints on COM1 what a boot loader handed over, in words that do not depend on the loader, and leaves by the debug-exit
 * port. The same file is a multiboot 1 and a PVH kernel, and runs under Ringside and under QEMU.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

static inline void out8(unsigned short port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void print(const char *text)
{
	for (; *text; text++)
		out8(0x3f8, (u8)*text);
}

static void print_bytes(const char *text, u32 count)
{
	for (; count > 0; count--)
		out8(0x3f8, (u8)*text++);
}

static void print_hex(u64 value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		out8(0x3f8, (u8)"0123456789abcdef"[(value >> shift) & 15]);
}

/* The memory that a kernel would take for itself: the usable run that holds 1 MiB. */
static void print_memory(u64 start, u64 size, u32 type)
{
	if (type != 1 || start > 0x100000 || start + size <= 0x100000)
		return;
	print("usable from ");
	print_hex(start);
	print(start + size >= 0x3f00000 ? " to the end\n" : " too short\n");
}

/* The last word: loaders differ in the file names that they put before it. */
static const char *last_word(const char *text)
{
	const char *word = text;
	for (; *text; text++)
		if (*text == ' ')
			word = text + 1;
	return word;
}

static void print_module(u32 start, u32 size, u32 command_line)
{
	print("module ");
	print(last_word((const char *)command_line));
	print(": ");
	print_bytes((const char *)start, size);
	print("\n");
}

static void multiboot1(const u32 *info)
{
	print("multiboot 1\n");
	print("command line: ");
	print(last_word((const char *)info[4]));
	print("\n");
	const u32 *module = (const u32 *)info[6];
	for (u32 left = info[0] & 8 ? info[5] : 0; left > 0; left--, module += 4)
		print_module(module[0], module[1] - module[0], module[2]);
	print(info[0] & 1 && info[1] >= 500 && info[2] >= 62 * 1024 ? "basic memory\n" : "no basic memory\n");
	for (u32 at = info[12]; at < info[12] + info[11]; at += *(u32 *)at + 4)
		print_memory(*(u64 *)(at + 4), *(u64 *)(at + 12), *(u32 *)(at + 20));
}

static void pvh(const u32 *info)
{
	print("PVH ");
	print_hex(info[1]);
	print("\ncommand line: ");
	print(last_word((const char *)info[6]));
	print("\n");
	const u64 *module = (const u64 *)info[4];
	for (u32 left = info[3]; left > 0; left--, module += 4) {
		print("module of ");
		print_hex(module[1]);
		print(" bytes: ");
		print_bytes((const char *)(u32)module[0], (u32)module[1]);
		print("\n");
	}
	const u64 *entry = (const u64 *)info[10];
	for (u32 left = info[12]; left > 0; left--, entry += 3)
		print_memory(entry[0], entry[1], (u32)entry[2]);
}

/* PG and PE; IF and VM; whether CR4 is 0. */
static u32 processor_state(void)
{
	u32 cr0, cr4, flags;
	__asm__ volatile("mov %%cr0, %0; mov %%cr4, %1; pushf; pop %2" : "=r"(cr0), "=r"(cr4), "=r"(flags));
	return (flags & 0x20200) | (cr0 & 0x80000001) | ((cr4 != 0) << 30);
}

void facts(u32 eax, const u32 *ebx)
{
	if (eax == 0x2badb002)
		multiboot1(ebx);
	else if (ebx[0] == 0x336ec578)
		pvh(ebx);
	else
		print("nothing known\n");
	print("processor ");
	print_hex(processor_state());
	print("\n");
	out8(0xf4, 0x10);
}
