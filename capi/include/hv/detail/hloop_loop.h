/* hloop.h: loops, timers, idle callbacks, signals, events. */
#ifndef HVLOOP_HV_DETAIL_HLOOP_LOOP_H
#define HVLOOP_HV_DETAIL_HLOOP_LOOP_H

#include "hloop_hio.h"

struct htimer_s {
    HEVENT_FIELDS
    htimer_cb call;
};

struct hidle_s {
    HEVENT_FIELDS
    hidle_cb call;
};

/* A hsignal_t, and what it calls. */
typedef struct hvloop_hsignal {
    hevent_t event;
    hsignal_cb call;
} hvloop_hsignal;

HV_INLINE hvloop_task hvloop_task_of(void (*call)(void *), void (*drop)(void *), void *data) {
    hvloop_task task;
    task.call = call;
    task.drop = drop;
    task.data = data;
    return task;
}

/* Flags: HLOOP_FLAG_.... A loop that nobody runs yet; it is freed by hloop_free, or by hloop_run with
   HLOOP_FLAG_AUTO_FREE. */
HV_INLINE hloop_t *hloop_new(int flags DEFAULT(HLOOP_FLAG_AUTO_FREE)) {
    hloop_t *const loop = hvloop_loop_new(NULL);
    hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop);
    if (slot) {
        slot->flags = flags;
    }
    return loop;
}

/* Frees a loop that does not run, with what was made for it and is still there. */
HV_INLINE void hloop_free(hloop_t **loop) {
    if (loop && *loop) {
        hvloop_loop_slot *const slot = hvloop_slot_of_loop(*loop);
        hloop_t *const freed = *loop;
        *loop = NULL;
        while (slot && slot->ios) {
            hvloop_hio_forget(slot->ios);
        }
        hvloop_loop_release(freed);
    }
}

/* Nothing to do, and nothing that could be: the end. */
HV_INLINE void hvloop_quit_when_idle(void *data, uint64_t id) {
    hloop_t *const loop = (hloop_t *)data;
    hvloop_metrics metrics;
    (void)id;
    if (hvloop_loop_metrics(loop, &metrics) == 0 && metrics.timers == 0 && metrics.holds == 0) {
        hvloop_loop_stop(loop);
    }
}

/* Runs a loop until it is stopped. 0, or a negative number: it runs already, or has stopped. */
HV_INLINE int hloop_run(hloop_t *loop) {
    hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop);
    const int flags = slot ? slot->flags : 0;
    int error;
    if (slot) {
        slot->thread = (long)hvloop_thread_id();
    }
    if (flags & HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS) {
        hvloop_timer_callback idle;
        idle.call = hvloop_quit_when_idle;
        idle.drop = NULL;
        idle.data = loop;
        hvloop_loop_set_idle(loop, HVLOOP_FOREVER, idle, NULL);
    }
    if (flags & HLOOP_FLAG_RUN_ONCE) {
        error = hvloop_loop_run_once(loop, -1, NULL);
        error = error < 0 ? error : 0;
    } else {
        error = hvloop_loop_run(loop, NULL);
    }
    if (flags & HLOOP_FLAG_AUTO_FREE) {
        hloop_t *freed = loop;
        hloop_free(&freed);
    }
    return error;
}

HV_INLINE int hloop_stop(hloop_t *loop) { return hvloop_loop_stop(loop); }
HV_INLINE int hloop_pause(hloop_t *loop) { return hvloop_loop_pause(loop); }
HV_INLINE int hloop_resume(hloop_t *loop) { return hvloop_loop_resume(loop); }

HV_INLINE void hvloop_nothing(void *data) { (void)data; }

HV_INLINE int hloop_wakeup(hloop_t *loop) {
    return hvloop_loop_queue_in_loop(loop, hvloop_task_of(hvloop_nothing, NULL, NULL));
}

HV_INLINE hloop_status_e hloop_status(hloop_t *loop) {
    switch (hvloop_loop_status(loop)) {
    case HVLOOP_STATUS_RUNNING:
    case HVLOOP_STATUS_DRAINING:
        return HLOOP_STATUS_RUNNING;
    case HVLOOP_STATUS_PAUSED:
        return HLOOP_STATUS_PAUSE;
    default:
        return HLOOP_STATUS_STOP;
    }
}

/* Times are the clock's: there is none that a loop would keep. */
HV_INLINE void hloop_update_time(hloop_t *loop) { (void)loop; }

HV_INLINE uint64_t hvloop_microseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Seconds, and milliseconds, since 1970. */
HV_INLINE uint64_t hloop_now(hloop_t *loop) {
    (void)loop;
    return hvloop_microseconds(CLOCK_REALTIME) / 1000000;
}
HV_INLINE uint64_t hloop_now_ms(hloop_t *loop) {
    (void)loop;
    return hvloop_microseconds(CLOCK_REALTIME) / 1000;
}
/* Microseconds of a clock that nobody sets. */
HV_INLINE uint64_t hloop_now_hrtime(hloop_t *loop) {
    (void)loop;
    return hvloop_microseconds(CLOCK_MONOTONIC);
}
#define hloop_now_us hloop_now_hrtime

HV_INLINE long hloop_pid(hloop_t *loop) {
    (void)loop;
    return (long)getpid();
}
/* The thread that has run it; 0: none has. */
HV_INLINE long hloop_tid(hloop_t *loop) {
    hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop);
    return slot ? slot->thread : 0;
}

HV_INLINE void hloop_set_userdata(hloop_t *loop, void *userdata) {
    hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop);
    if (slot) {
        slot->userdata = userdata;
    }
}
HV_INLINE void *hloop_userdata(hloop_t *loop) {
    hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop);
    return slot ? slot->userdata : NULL;
}

HV_INLINE void hvloop_event_call(void *data) {
    hevent_t *const event = (hevent_t *)data;
    if (event->cb) {
        event->cb(event);
    }
}

/* Has a copy of the event called on the loop's thread. Any thread. */
HV_INLINE void hloop_post_event(hloop_t *loop, hevent_t *event) {
    hevent_t *const copy = (hevent_t *)malloc(sizeof(hevent_t));
    if (copy) {
        *copy = *event;
        copy->loop = loop;
        if (copy->event_type == HEVENT_TYPE_NONE) {
            copy->event_type = HEVENT_TYPE_CUSTOM;
        }
        hvloop_loop_queue_in_loop(loop, hvloop_task_of(hvloop_event_call, free, copy));
    }
}

HV_INLINE void hvloop_htimer_call(void *data, uint64_t id) {
    htimer_t *const timer = (htimer_t *)data;
    timer->event_id = id;
    timer->call(timer);
}

HV_INLINE void hvloop_hidle_call(void *data, uint64_t id) {
    hidle_t *const idle = (hidle_t *)data;
    idle->event_id = id;
    idle->call(idle);
}

HV_INLINE hvloop_timer_callback hvloop_callback_of_timer(htimer_t *timer) {
    hvloop_timer_callback callback;
    callback.call = hvloop_htimer_call;
    callback.drop = free;
    callback.data = timer;
    return callback;
}

HV_INLINE htimer_t *hvloop_htimer_new(hloop_t *loop, htimer_cb call, hevent_type_e type) {
    htimer_t *const timer = loop && call ? (htimer_t *)calloc(1, sizeof(htimer_t)) : NULL;
    if (timer) {
        timer->loop = loop;
        timer->event_type = type;
        timer->call = call;
    }
    return timer;
}

/* Calls back every so many milliseconds. The timer goes after its last call, with htimer_del or with its loop. */
HV_INLINE htimer_t *htimer_add(hloop_t *loop, htimer_cb cb, uint32_t timeout_ms,
                               uint32_t repeat DEFAULT(INFINITE)) {
    htimer_t *const timer = hvloop_htimer_new(loop, cb, HEVENT_TYPE_TIMEOUT);
    if (timer && hvloop_loop_set_timer(loop, timeout_ms, repeat, hvloop_callback_of_timer(timer),
                                       &timer->event_id) != 0) {
        return NULL; /* it was freed */
    }
    return timer;
}

/* By the calendar; -1 is each one. */
HV_INLINE htimer_t *htimer_add_period(hloop_t *loop, htimer_cb cb, int8_t minute DEFAULT(0),
                                      int8_t hour DEFAULT(-1), int8_t day DEFAULT(-1), int8_t week DEFAULT(-1),
                                      int8_t month DEFAULT(-1), uint32_t repeat DEFAULT(INFINITE)) {
    const int8_t parts[5] = {minute, hour, day, month, week};
    char pattern[48];
    size_t length = 0;
    htimer_t *timer;
    int i;
    for (i = 0; i < 5; ++i) {
        const char *const gap = i ? " " : "";
        const int put = parts[i] < 0 ? snprintf(pattern + length, sizeof(pattern) - length, "%s*", gap)
                                     : snprintf(pattern + length, sizeof(pattern) - length, "%s%d", gap, parts[i]);
        length += (size_t)put;
    }
    timer = hvloop_htimer_new(loop, cb, HEVENT_TYPE_PERIOD);
    if (timer &&
        hvloop_loop_set_cron(loop, pattern, repeat, hvloop_callback_of_timer(timer), &timer->event_id) != 0) {
        return NULL; /* it was freed */
    }
    return timer;
}

HV_INLINE void htimer_del(htimer_t *timer) {
    if (timer) {
        hvloop_loop_kill_timer(timer->loop, timer->event_id);
    }
}

/* Counts from now again; 0: as long as before. */
HV_INLINE void htimer_reset(htimer_t *timer, uint32_t timeout_ms DEFAULT(0)) {
    if (timer) {
        hvloop_loop_reset_timer(timer->loop, timer->event_id, timeout_ms ? (int64_t)timeout_ms : -1);
    }
}

/* Calls back when the loop has nothing to do. */
HV_INLINE hidle_t *hidle_add(hloop_t *loop, hidle_cb cb, uint32_t repeat DEFAULT(INFINITE)) {
    hidle_t *const idle = loop && cb ? (hidle_t *)calloc(1, sizeof(hidle_t)) : NULL;
    if (idle) {
        hvloop_timer_callback callback;
        idle->loop = loop;
        idle->event_type = HEVENT_TYPE_IDLE;
        idle->call = cb;
        callback.call = hvloop_hidle_call;
        callback.drop = free;
        callback.data = idle;
        if (hvloop_loop_set_idle(loop, repeat, callback, &idle->event_id) != 0) {
            return NULL; /* it was freed */
        }
    }
    return idle;
}

HV_INLINE void hidle_del(hidle_t *idle) {
    if (idle) {
        hvloop_loop_kill_idle(idle->loop, idle->event_id);
    }
}

HV_INLINE void hvloop_hsignal_call(void *data, int number) {
    hvloop_hsignal *const sig = (hvloop_hsignal *)data;
    (void)number;
    sig->call(&sig->event);
}

/* Calls back upon a signal, whose number is the event's id. */
HV_INLINE hsignal_t *hsignal_add(hloop_t *loop, hsignal_cb cb, int signo) {
    hvloop_hsignal *const sig = loop && cb ? (hvloop_hsignal *)calloc(1, sizeof(hvloop_hsignal)) : NULL;
    if (sig) {
        hvloop_signal_callback callback;
        uint64_t id = 0;
        sig->event.loop = loop;
        sig->event.event_type = HEVENT_TYPE_SIGNAL;
        sig->event.event_id = (uint64_t)signo;
        sig->call = cb;
        callback.call = hvloop_hsignal_call;
        callback.drop = free;
        callback.data = sig;
        if (hvloop_loop_add_signal(loop, signo, callback, &id) != 0) {
            return NULL; /* it was freed */
        }
        sig->event.privdata = (void *)(uintptr_t)id;
    }
    return sig ? &sig->event : NULL;
}

HV_INLINE void hsignal_del(hsignal_t *sig) {
    if (sig) {
        hvloop_loop_remove_signal(sig->loop, (uint64_t)(uintptr_t)sig->privdata);
    }
}

#endif /* HVLOOP_HV_DETAIL_HLOOP_LOOP_H */
