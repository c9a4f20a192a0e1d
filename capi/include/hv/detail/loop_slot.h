/* What C and C++ keep with a loop: its binding. */
#ifndef HVLOOP_HV_DETAIL_LOOP_SLOT_H
#define HVLOOP_HV_DETAIL_LOOP_SLOT_H

#include "hloop_types.h"

typedef struct hvloop_loop_slot {
    void *userdata;           /* hloop_set_userdata */
    void *object;             /* hv::EventLoop, which is found by callbacks */
    void (*drop)(void *data); /* how the object goes if it is the loop's own */
    /* Of hloop.h: the flags of hloop_new, the thread of hloop_run, and what goes with the loop. */
    int flags;
    long thread;
    hio_t *ios;
} hvloop_loop_slot;

HV_INLINE void hvloop_loop_slot_drop(void *data) {
    hvloop_loop_slot *const slot = (hvloop_loop_slot *)data;
    if (slot->drop) {
        slot->drop(slot->object);
    }
    free(slot);
}

/* The slot of a loop, which is made when it is first asked for, and lives as long as the loop's handle. NULL
   without memory, or without a loop. */
HV_INLINE hvloop_loop_slot *hvloop_slot_of_loop(hloop_t *loop) {
    void *slot = hvloop_loop_binding(loop);
    if (slot == NULL && loop != NULL) {
        slot = calloc(1, sizeof(hvloop_loop_slot));
        if (slot) {
            /* Another thread's, if that was faster. */
            slot = hvloop_loop_bind_once(loop, slot, hvloop_loop_slot_drop);
        }
    }
    return (hvloop_loop_slot *)slot;
}

#endif /* HVLOOP_HV_DETAIL_LOOP_SLOT_H */
