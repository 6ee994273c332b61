/*
 * Draws on the framebuffer that the boot loader tells of, by structures as the Multiboot specifications have them: red grows
 * to the right, green downwards. Then it leaves by the debug-exit port, or (FOREVER) paints one row after the other blue.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct colours {
	u8 red_field_position, red_mask_size;
	u8 green_field_position, green_mask_size;
	u8 blue_field_position, blue_mask_size;
} __attribute__((packed));

/* Multiboot 0.6.96, section 3.3. */
struct multiboot1_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	u32 drives_length, drives_addr, config_table, boot_loader_name, apm_table, vbe_control_info, vbe_mode_info;
	u16 vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
	u64 framebuffer_addr;
	u32 framebuffer_pitch, framebuffer_width, framebuffer_height;
	u8 framebuffer_bpp, framebuffer_type;
	struct colours colours;
} __attribute__((packed));

/* Multiboot 2.0, section 3.6.12, with the padding of its multiboot2.h. */
struct multiboot2_framebuffer {
	u32 type, size;
	u64 framebuffer_addr;
	u32 framebuffer_pitch, framebuffer_width, framebuffer_height;
	u8 framebuffer_bpp, framebuffer_type;
	u16 reserved;
	struct colours colours;
} __attribute__((packed));

struct screen {
	u32 address, pitch, width, height;
	struct colours colours;
};

static void leave(u8 status)
{
	__asm__ volatile("outb %0, $0xf4" : : "a"(status));
	for (;;)
		__asm__ volatile("hlt");
}

#define TAKE(screen, info) \
	do { \
		if ((info)->framebuffer_bpp != 32 || (info)->framebuffer_type != 1) \
			leave(0x12); \
		(screen).address = (u32)(info)->framebuffer_addr; \
		(screen).pitch = (info)->framebuffer_pitch; \
		(screen).width = (info)->framebuffer_width; \
		(screen).height = (info)->framebuffer_height; \
		(screen).colours = (info)->colours; \
	} while (0)

/* 0x11: nobody tells of a framebuffer; 0x12: it is another kind of one; 0x13: nobody knows this loader. */
static struct screen find(u32 magic, u32 info)
{
	struct screen screen = { 0 };
	if (magic == 0x2badb002) {
		const struct multiboot1_info *told = (const void *)info;
		if (!(told->flags & (1 << 12)))
			leave(0x11);
		TAKE(screen, told);
	} else if (magic == 0x36d76289) {
		const struct multiboot2_framebuffer *tag = (const void *)(info + 8);
		for (; tag->type != 8; tag = (const void *)((u32)tag + ((tag->size + 7) & ~7u)))
			if (tag->type == 0)
				leave(0x11);
		TAKE(screen, tag);
	} else {
		leave(0x13);
	}
	return screen;
}

static u32 colour(const struct colours *colours, u8 red, u8 green, u8 blue)
{
	return (u32)red << colours->red_field_position | (u32)green << colours->green_field_position |
	       (u32)blue << colours->blue_field_position;
}

static void row(const struct screen *screen, u32 y, u8 blue)
{
	volatile u32 *pixel = (volatile u32 *)(screen->address + y * screen->pitch);
	for (u32 x = 0; x < screen->width; x++)
		*pixel++ = colour(&screen->colours, (u8)x, (u8)y, blue);
}

void draw(u32 magic, u32 info)
{
	const struct screen screen = find(magic, info);
	for (u32 y = 0; y < screen.height; y++)
		row(&screen, y, 0);
#ifdef FOREVER
	__asm__ volatile("nop"); //#MARKER drawn
	for (u32 blue = 1;; blue++)
		for (u32 y = 0; y < screen.height; y++)
			row(&screen, y, (u8)blue);
#endif
	leave(0x10);
}
