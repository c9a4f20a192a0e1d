/* Timers, idle callbacks, events from another thread, a signal, and the end when nothing is left to do. */
#include "hv/hloop.h"

static int ticks = 0, once = 0, idles = 0;

static void on_tick(htimer_t *timer) {
    if (++ticks == 3) {
        htimer_del(timer);
    }
}

static void on_once(htimer_t *timer) {
    once += *(int *)hevent_userdata(timer);
    hloop_set_userdata(hevent_loop(timer), (void *)"told");
}

static void on_never(htimer_t *timer) {
    (void)timer;
    printf("never\n");
}

static void on_idle(hidle_t *idle) {
    if (++idles == 2) {
        hidle_del(idle);
    }
}

static void on_event(hevent_t *event) {
    printf("event %d: %s\n", (int)hevent_type(event) - (int)HEVENT_TYPE_CUSTOM, (char *)hevent_userdata(event));
}

static void on_signal(hsignal_t *sig) {
    printf("signal: %d\n", (int)hevent_id(sig) == SIGUSR1);
    hsignal_del(sig);
}

static void *post(void *loop) {
    hevent_t event;
    memset(&event, 0, sizeof(event));
    event.event_type = (hevent_type_e)(HEVENT_TYPE_CUSTOM + 7);
    event.cb = on_event;
    event.userdata = (void *)"from another thread";
    hloop_post_event((hloop_t *)loop, &event);
    return NULL;
}

static void on_start(hevent_t *event) {
    pthread_t thread;
    pthread_create(&thread, NULL, post, event->loop);
    pthread_join(thread, NULL);
    printf("running: %d, on its thread: %d\n", hloop_status(event->loop) == HLOOP_STATUS_RUNNING,
           hloop_tid(event->loop) == (long)hvloop_thread_id());
    kill(getpid(), SIGUSR1);
}

int main(void) {
    hloop_t *loop = hloop_new(HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS);
    int add = 5;
    htimer_t *timer, *never;
    hevent_t start;
    hloop_set_userdata(loop, (void *)"not told");
    htimer_add(loop, on_tick, 5, INFINITE);
    timer = htimer_add(loop, on_once, 1000000, 1);
    hevent_set_userdata(timer, &add);
    htimer_reset(timer, 10);
    never = htimer_add(loop, on_never, 1, 1);
    htimer_del(never);
    /* At half past one in the night, if it is that: it goes with the loop. */
    never = htimer_add_period(loop, on_never, 30, 1, -1, -1, -1, INFINITE);
    printf("by the calendar: %d\n", hevent_type(never) == HEVENT_TYPE_PERIOD);
    htimer_del(never);
    hidle_add(loop, on_idle, INFINITE);
    hsignal_add(loop, on_signal, SIGUSR1);
    memset(&start, 0, sizeof(start));
    start.cb = on_start;
    hloop_post_event(loop, &start);
    printf("ran: %d\n", hloop_run(loop));
    printf("ticks: %d, once: %d, idle: %d, %s\n", ticks, once, idles, (char *)hloop_userdata(loop));
    printf("stopped: %d\n", hloop_status(loop) == HLOOP_STATUS_STOP);
    hloop_free(&loop);
    printf("freed: %d\n", loop == NULL);
    return 0;
}
