/* The first serial port, a 16550 UART: printed bytes are polled out, typed bytes come by interrupt. */
#include "kernel.h"

#define COM1 0x3f8

enum uart_register {
    UART_DATA = 0,
    UART_INTERRUPT_ENABLE = 1,
    UART_FIFO_CONTROL = 2,
    UART_LINE_CONTROL = 3,
    UART_MODEM_CONTROL = 4,
    UART_LINE_STATUS = 5,
};

enum line_status { DATA_READY = 0x01, TRANSMITTER_EMPTY = 0x20 };

static struct {
    volatile unsigned head;
    volatile unsigned tail;
    char bytes[64];
} input;

static volatile int console_lock;

void serial_init(void)
{
    out8(COM1 + UART_INTERRUPT_ENABLE, 0);
    out8(COM1 + UART_LINE_CONTROL, 0x80);
    out8(COM1 + UART_DATA, 1); /* divisor 1: 115,200 baud */
    out8(COM1 + UART_INTERRUPT_ENABLE, 0);
    out8(COM1 + UART_LINE_CONTROL, 0x03);
    out8(COM1 + UART_FIFO_CONTROL, 0x07);
    out8(COM1 + UART_MODEM_CONTROL, 0x0b);
    out8(COM1 + UART_INTERRUPT_ENABLE, 0x01);
}

static void serial_write(char character)
{
    if (character == '\n')
        serial_write('\r');
    while (!(in8(COM1 + UART_LINE_STATUS) & TRANSMITTER_EMPTY))
        relax();
    out8(COM1 + UART_DATA, (uint8_t)character); //#MARKER serial-write
}

void serial_interrupt(void)
{
    while (in8(COM1 + UART_LINE_STATUS) & DATA_READY) {
        char character = (char)in8(COM1 + UART_DATA); //#MARKER serial-interrupt

        if (input.head - input.tail < sizeof input.bytes)
            input.bytes[input.head++ % sizeof input.bytes] = character;
    }
}

int serial_read(void)
{
    if (input.tail == input.head)
        return -1;
    return (uint8_t)input.bytes[input.tail++ % sizeof input.bytes];
}

static void print_number(uint64_t value, unsigned base, int width)
{
    char digits[20];
    int count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (width-- > count)
        serial_write('0');
    while (count > 0)
        serial_write(digits[--count]);
}

static void print_text(const char *text)
{
    while (*text)
        serial_write(*text++);
}

static void print_arguments(const char *format, __builtin_va_list arguments)
{
    for (; *format; format++) {
        int width = 0;
        bool is_long = false;

        if (*format != '%') {
            serial_write(*format);
            continue;
        }
        for (format++; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + *format - '0';
        if (*format == 'l') {
            is_long = true;
            format++;
        }
        if (*format == 's') {
            print_text(__builtin_va_arg(arguments, const char *));
        } else if (*format == 'c') {
            serial_write((char)__builtin_va_arg(arguments, int));
        } else if (*format == 'd') {
            int value = __builtin_va_arg(arguments, int);

            if (value < 0)
                serial_write('-');
            print_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10, width);
        } else if (*format == 'u' || *format == 'x') {
            uint64_t value =
                is_long ? __builtin_va_arg(arguments, uint64_t) : __builtin_va_arg(arguments, unsigned);

            print_number(value, *format == 'u' ? 10 : 16, width);
        } else {
            serial_write(*format);
        }
    }
}

/** Whole lines: no interrupt and no other processor gets in between. */
void print(const char *format, ...)
{
    __builtin_va_list arguments;
    uint64_t flags = save_flags_and_disable();

    while (__atomic_exchange_n(&console_lock, 1, __ATOMIC_ACQUIRE))
        relax();
    __builtin_va_start(arguments, format);
    print_arguments(format, arguments);
    __builtin_va_end(arguments);
    __atomic_store_n(&console_lock, 0, __ATOMIC_RELEASE);
    restore_flags(flags);
}

void panic(const char *reason)
{
    print("panic: %s\n", reason); //#MARKER panic
    for (;;)
        __asm__ volatile("cli; hlt");
}
