/* A doubly linked ring with a head. */
#include "kernel.h"

void list_init(struct list_node *head)
{
    head->next = head;
    head->previous = head;
}

/** Puts `node` at the end. */
void list_insert(struct list_node *head, struct list_node *node)
{
    struct list_node *last = head->previous;

    node->next = head; //#MARKER list-insert
    node->previous = last;
    last->next = node;
    head->previous = node;
}

void list_remove(struct list_node *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

unsigned list_length(const struct list_node *head)
{
    unsigned length = 0;

    for (const struct list_node *node = head->next; node != head; node = node->next)
        length++; //#MARKER list-length
    return length;
}
