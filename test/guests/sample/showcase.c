/* Data in every shape that C has, for debuggers to show; visited once a second so that it changes. */
#include "kernel.h"

enum colour { RED, GREEN = 5, BLUE = -1 };

struct point {
    int x;
    int y;
};

struct rectangle {
    struct point corner;
    struct point size;
    enum colour colour;
};

struct packet_header {
    unsigned version : 4;
    unsigned length : 12;
    unsigned urgent : 1;
    signed delta : 5;
    uint64_t sequence : 40;
};

union word {
    uint32_t whole;
    uint16_t halves[2];
    uint8_t bytes[4];
    float real;
};

struct event {
    unsigned number;
    const char *name;
    union {
        struct point where;
        uint64_t value;
    };
    struct event *next;
};

struct tree {
    int key;
    struct tree *left;
    struct tree *right;
};

typedef int (*operation)(int left, int right);

struct showcase {
    bool flag;
    signed char tiny;
    unsigned char octet;
    short small;
    long large;
    unsigned long address;
    float single;
    double real;
    char text[24];
    const char *message;
    int matrix[3][4];
    struct rectangle rectangles[3];
    struct packet_header header;
    union word word;
    struct event *events;
    struct tree *root;
    operation operation;
    void *opaque;
    int *pointer;
    int **pointer_to_pointer;
};

static int add(int left, int right)
{
    return left + right; //#MARKER add
}

static int subtract(int left, int right)
{
    return left - right;
}

static struct tree leaves[4] = { { 1, NULL, NULL }, { 3, NULL, NULL }, { 5, NULL, NULL }, { 7, NULL, NULL } };
static struct tree branches[2] = { { 2, &leaves[0], &leaves[1] }, { 6, &leaves[2], &leaves[3] } };
static struct tree trunk = { 4, &branches[0], &branches[1] };
static struct event event_ring[4];
static int counted;
static int *counted_pointer = &counted;

struct showcase showcase = {
    .flag = true,
    .tiny = -7,
    .octet = 200,
    .small = -12345,
    .large = -1234567890123456789,
    .address = KERNEL_BASE,
    .single = 1.5f,
    .real = 3.141592653589793,
    .text = "text in an array",
    .message = "text behind a pointer",
    .matrix = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10, 11, 12 } },
    .rectangles = { { { 1, 2 }, { 30, 40 }, GREEN }, { { -5, -6 }, { 70, 80 }, BLUE }, { { 0, 0 }, { 0, 0 }, RED } },
    .header = { .version = 4, .length = 1500, .urgent = 1, .delta = -3, .sequence = 0x123456789a },
    .word = { .whole = 0x3f800000 },
    .root = &trunk,
    .operation = add,
    .opaque = &trunk,
    .pointer = &counted,
    .pointer_to_pointer = &counted_pointer,
};

static inline __attribute__((always_inline)) int clamp(int value, int low, int high)
{
    int limited = value < low ? low : value; //#MARKER clamp

    return limited > high ? high : limited;
}

/** The sum of a tree's keys, by recursion. */
static int __attribute__((noinline)) tree_sum(const struct tree *node, int depth)
{
    int below;

    if (!node)
        return 0; //#MARKER tree-leaf
    below = tree_sum(node->left, depth + 1) + tree_sum(node->right, depth + 1);
    return below + node->key; //#MARKER tree-sum
}

static void __attribute__((noinline)) record_event(const char *name, uint64_t value)
{
    static unsigned recorded;
    struct event *event = &event_ring[recorded % 4];

    event->number = recorded++; //#MARKER record-event
    event->name = name;
    event->value = value;
    event->next = event == showcase.events ? NULL : showcase.events;
    if (recorded <= 4)
        showcase.events = event;
}

static int __attribute__((noinline)) apply(operation operation, struct rectangle *rectangle)
{
    struct point local = rectangle->size;
    int area = clamp(local.x * local.y, -100, 5000);
    int result = operation(area, rectangle->corner.x);

    return result; //#MARKER apply
}

void showcase_visit(unsigned pass)
{
    int total = 0;

    showcase.operation = pass % 2 ? subtract : add; //#MARKER showcase-visit
    for (unsigned index = 0; index < 3; index++) {
        struct rectangle *rectangle = &showcase.rectangles[index];

        rectangle->size.x++;
        total += apply(showcase.operation, rectangle); //#MARKER showcase-loop
    }
    counted += tree_sum(showcase.root, 0);
    showcase.header.sequence++;
    showcase.header.delta = clamp((int)(pass % 40) - 20, -16, 15);
    record_event(pass % 2 ? "odd" : "even", (uint64_t)total); //#MARKER showcase-end
}
