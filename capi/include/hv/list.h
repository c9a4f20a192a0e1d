/* A ring of nodes that are parts of what it holds, by the names that libhv's programs use. */
#ifndef HV_LIST_H_
#define HV_LIST_H_

#include "hplatform.h"

struct list_head {
    struct list_head *next, *prev;
};
#define list_node list_head

#define LIST_HEAD_INIT(name)                                                                       \
    { &(name), &(name) }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)
#define INIT_LIST_HEAD(list) list_init(list)

/* What the node is a part of. */
#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define list_first_entry(list, type, member) list_entry((list)->next, type, member)
#define list_last_entry(list, type, member) list_entry((list)->prev, type, member)

/* From the first to the last; with `safe` the one in hand may be taken out. */
#define list_for_each(node, list) for (node = (list)->next; node != (list); node = node->next)
#define list_for_each_safe(node, after, list)                                                      \
    for (node = (list)->next, after = node->next; node != (list); node = after, after = node->next)

HV_INLINE void list_init(struct list_head *list) { list->next = list->prev = list; }

HV_INLINE int list_empty(const struct list_head *list) { return list->next == list; }

HV_INLINE void hvloop_list_put(struct list_head *node, struct list_head *before, struct list_head *behind) {
    node->prev = before;
    node->next = behind;
    before->next = node;
    behind->prev = node;
}

/* To the front, and to the end. */
HV_INLINE void list_add(struct list_head *node, struct list_head *list) { hvloop_list_put(node, list, list->next); }
HV_INLINE void list_add_tail(struct list_head *node, struct list_head *list) {
    hvloop_list_put(node, list->prev, list);
}

/* Out of the ring that it is in: it is then one of its own. */
HV_INLINE void list_del(struct list_head *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}
#define list_del_init(node) list_del(node)

HV_INLINE void list_move(struct list_head *node, struct list_head *list) {
    list_del(node);
    list_add(node, list);
}

#endif /* HV_LIST_H_ */
