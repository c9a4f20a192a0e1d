/* Loops, tasks, timers, signals, names, holds, threads and pools, in C alone. */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hvloop.h"

static int dropped;

static void drop_one(void *data) {
    (void)data;
    __atomic_fetch_add(&dropped, 1, __ATOMIC_SEQ_CST);
}

static void check(int holds, const char *what) {
    if (!holds) {
        printf("wrong: %s (%s)\n", what, hvloop_last_error());
        fflush(stdout);
        abort();
    }
}

static void failed(int code, int expected, const char *what) {
    if (code != expected) {
        printf("wrong: %s gave %d, %s\n", what, code, hvloop_last_error());
        fflush(stdout);
        abort();
    }
    check(hvloop_last_error()[0] != '\0', what);
}

static hvloop_task task(void (*call)(void *), void *data) {
    hvloop_task task;
    task.call = call;
    task.drop = drop_one;
    task.data = data;
    return task;
}

static hvloop_timer_callback timer(void (*call)(void *, uint64_t), void *data) {
    hvloop_timer_callback callback;
    callback.call = call;
    callback.drop = drop_one;
    callback.data = data;
    return callback;
}

static void stop(void *data) { hvloop_loop_stop((hvloop_loop *)data); }

/* What is not there, or something else, is an error and no crash. */
static void bad_input(void) {
    hvloop_loop *const loop = hvloop_loop_new(NULL);
    const int before = dropped;
    failed(hvloop_loop_run(NULL, NULL), HVLOOP_ERROR_NULL, "no loop");
    failed(hvloop_loop_run_in_loop(loop, task(NULL, NULL)), HVLOOP_ERROR_NULL, "a task that is none");
    check(dropped == before + 1, "what is refused is dropped");
    failed(hvloop_loop_set_timer(loop, -5, 1, timer(NULL, NULL), NULL), HVLOOP_ERROR_NULL, "no callback");
    failed(hvloop_loop_kill_timer(loop, 0), HVLOOP_ERROR_ARGUMENT, "no timer");
    failed(hvloop_loop_report(loop, NULL), HVLOOP_ERROR_STATE, "no report yet");
    failed(hvloop_thread_stop((hvloop_thread *)loop), HVLOOP_ERROR_HANDLE, "a loop is no thread");
    failed(hvloop_loop_backend_fd(loop), HVLOOP_ERROR_THREAD, "not its thread");
    failed(hvloop_log_set_level(77), HVLOOP_ERROR_ARGUMENT, "no such level");
    check(hvloop_loop_current() == NULL && hvloop_pool_new(0, NULL) == NULL, "what gives a handle gives none");
    check(hvloop_loop_new((hvloop_loop_options *)loop) == NULL, "a loop is no options");
    check(strcmp(hvloop_error_name(HVLOOP_ERROR_NULL), "null") == 0, "the name of an error");
    check(hvloop_abi_version() == HVLOOP_ABI_VERSION && hvloop_version()[0] != '\0', "versions");
    hvloop_loop_release(NULL);
    hvloop_loop_release(loop);
}

struct seen {
    hvloop_loop *loop;
    int timers, idles, signals, names, tasks;
    uint64_t id;
};

static void fired(void *data, uint64_t id) {
    struct seen *const seen = (struct seen *)data;
    check(id == seen->id, "its own number");
    seen->timers += 1;
}

static void idle(void *data, uint64_t id) {
    (void)id;
    ((struct seen *)data)->idles += 1;
}

static void signalled(void *data, int signum) {
    check(signum == SIGUSR1, "the signal");
    ((struct seen *)data)->signals += 1;
}

static void resolved(void *data, const void *addresses, size_t count, const char *error) {
    struct seen *const seen = (struct seen *)data;
    const struct sockaddr_in *const first = (const struct sockaddr_in *)addresses;
    check(error == NULL && count == 1, "an address");
    check(first->sin_family == AF_INET && ntohs(first->sin_port) == 80, "its port");
    check(ntohl(first->sin_addr.s_addr) == INADDR_LOOPBACK, "its host");
    seen->names += 1;
}

static void never(void *data, uint64_t id) {
    (void)data;
    (void)id;
    check(0, "killed");
}

static void begin(void *data) {
    struct seen *const seen = (struct seen *)data;
    hvloop_loop *const here = hvloop_loop_current();
    uint64_t id = 0;
    check(here == seen->loop && hvloop_loop_is_in_loop_thread(here) == 1, "one handle for a loop");
    hvloop_loop_release(here);
    seen->tasks += 1;
    check(hvloop_loop_set_timer(seen->loop, 1, 3, timer(fired, seen), &seen->id) == 0, "a timer");
    check(hvloop_loop_set_timer(seen->loop, 1, HVLOOP_FOREVER, timer(never, seen), &id) == 0, "another one");
    check(hvloop_loop_kill_timer(seen->loop, id) == 0, "killed");
    check(hvloop_loop_set_idle(seen->loop, 2, timer(idle, seen), NULL) == 0, "an idle callback");
    failed(hvloop_loop_set_cron(seen->loop, "never", 1, timer(never, seen), NULL), HVLOOP_ERROR_ARGUMENT, "no pattern");
    failed(hvloop_loop_wait_stopped(seen->loop, 10), HVLOOP_ERROR_THREAD, "itself");
    check(hvloop_loop_run(seen->loop, NULL) < 0, "it runs");
    raise(SIGUSR1);
}

static void look(void *data, uint64_t id) {
    struct seen *const seen = (struct seen *)data;
    if (seen->timers == 3 && seen->idles == 2 && seen->signals == 1 && seen->names == 1) {
        hvloop_loop_kill_timer(seen->loop, id);
        hvloop_loop_stop(seen->loop);
    }
}

static void one_loop(void) {
    hvloop_signal_callback on_signal;
    hvloop_dns_callback on_name;
    hvloop_loop_options *const options = hvloop_loop_options_new();
    struct seen seen;
    hvloop_report report;
    hvloop_metrics metrics;
    uint64_t signal_id = 0;
    const int before = dropped;
    memset(&seen, 0, sizeof(seen));
    check(hvloop_loop_options_set_name(options, "one") == 0, "a name");
    check(hvloop_loop_options_set_drain_timeout(options, 5000) == 0, "a time");
    seen.loop = hvloop_loop_new(options);
    hvloop_loop_options_free(options);
    on_signal.call = signalled;
    on_signal.drop = drop_one;
    on_signal.data = &seen;
    on_name.call = resolved;
    on_name.drop = drop_one;
    on_name.data = &seen;
    check(hvloop_loop_add_signal(seen.loop, SIGUSR1, on_signal, &signal_id) == 0 && signal_id != 0, "a signal");
    check(hvloop_loop_resolve(seen.loop, "127.0.0.1", 80, on_name, NULL) == 0, "a name");
    check(hvloop_loop_queue_in_loop(seen.loop, task(begin, &seen)) == 0, "a task");
    check(hvloop_loop_set_timer(seen.loop, 2, HVLOOP_FOREVER, timer(look, &seen), NULL) == 0, "a look");
    check(hvloop_loop_status(seen.loop) == HVLOOP_STATUS_IDLE, "idle");
    check(hvloop_loop_run(seen.loop, &report) == 0 && report.clean == 1, "clean");
    check(hvloop_loop_status(seen.loop) == HVLOOP_STATUS_STOPPED, "stopped");
    check(hvloop_loop_metrics(seen.loop, &metrics) == 0 && metrics.timers_fired >= 4, "counted");
    failed(hvloop_loop_queue_in_loop(seen.loop, task(stop, &seen)), HVLOOP_ERROR_CLOSED, "it has stopped");
    check(hvloop_loop_remove_signal(seen.loop, signal_id) == 0, "no more signals");
    hvloop_loop_release(seen.loop);
    printf("one loop: %d tasks, %d timers, %d idles, %d signals, %d names, %d dropped\n", seen.tasks, seen.timers,
           seen.idles, seen.signals, seen.names, dropped - before);
}

/* A host that waits in its own poll. */
static void hosted(void) {
    hvloop_loop *const loop = hvloop_loop_new(NULL);
    hvloop_report report;
    int turned = hvloop_loop_run_once(loop, 0, NULL);
    check(turned == 1, "a turn");
    check(hvloop_loop_queue_in_loop(loop, task(stop, loop)) == 0, "a task");
    while (turned != 0) {
        struct pollfd fd;
        int64_t wait;
        fd.fd = hvloop_loop_backend_fd(loop);
        fd.events = POLLIN;
        wait = hvloop_loop_prepare_wait(loop);
        check(fd.fd >= 0 && wait >= -1, "what to wait for");
        poll(&fd, 1, (int)wait);
        turned = hvloop_loop_run_once(loop, 0, &report);
        check(turned >= 0, "a turn");
    }
    printf("hosted: %s\n", report.clean ? "clean" : "not clean");
    hvloop_loop_release(loop);
}

static void count(void *data) { __atomic_fetch_add((int *)data, 1, __ATOMIC_SEQ_CST); }

static void count_n(void *data, size_t n) {
    (void)n;
    count(data);
}

static void threads(void) {
    const hvloop_task none = {NULL, NULL, NULL};
    const hvloop_pool_hook no_hook = {NULL, NULL, NULL};
    hvloop_pool_hook hook = {count_n, NULL, NULL};
    hvloop_thread *const thread = hvloop_thread_new(NULL);
    hvloop_loop *const loop = hvloop_thread_loop(thread);
    hvloop_report report;
    hvloop_hold *hold;
    hvloop_pool *const pool = hvloop_pool_new(3, NULL);
    int counted = 0, pooled = 0, n;
    check(hvloop_thread_start(thread, none, none) == 0 && hvloop_thread_is_running(thread) == 1, "it runs");
    failed(hvloop_thread_start(thread, none, none), HVLOOP_ERROR_STATE, "it runs already");
    for (n = 0; n < 1000; ++n) check(hvloop_loop_queue_in_loop(loop, task(count, &counted)) == 0, "a task");
    hold = hvloop_loop_hold(loop, "work elsewhere");
    check(hvloop_thread_stop(thread) == 0, "stopping");
    failed(hvloop_loop_wait_stopped(loop, 20), HVLOOP_ERROR_TIMEOUT, "held");
    hvloop_hold_release(hold);
    check(hvloop_thread_join(thread, &report) == 0 && report.clean == 1, "joined");
    hvloop_thread_free(thread);
    hvloop_loop_release(loop);

    hook.data = &pooled;
    check(hvloop_pool_start(pool, hook, no_hook) == 0 && hvloop_pool_size(pool) == 3, "three loops");
    for (n = 0; n < 6; ++n) {
        hvloop_loop *const next = hvloop_pool_next_loop(pool, 0);
        check(hvloop_loop_run_in_loop(next, task(count, &pooled)) == 0, "a task");
        hvloop_loop_release(next);
    }
    check(hvloop_pool_loop(pool, 3) == NULL, "there are three");
    check(hvloop_pool_stop(pool) == 0 && hvloop_pool_join(pool) == 0, "joined");
    hvloop_pool_free(pool);
    printf("threads: %d tasks, and %d of a pool\n", counted, pooled);
}

static void told(void *data, int level, const char *target, const char *text) {
    (void)target;
    printf("log %d: %s\n", level, text);
    *(int *)data += 1;
}

static void logging(void) {
    static int lines = 0;
    const hvloop_log_handler handler = {told, drop_one, &lines}, none = {NULL, NULL, NULL};
    const int before = dropped;
    check(hvloop_log_set_handler(handler) == 0, "a handler");
    check(hvloop_log_set_level(HVLOOP_LOG_LEVEL_WARN) == 0, "a level");
    hvloop_log_write(HVLOOP_LOG_LEVEL_INFO, "not told");
    hvloop_log_write(HVLOOP_LOG_LEVEL_WARN, "told");
    hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, NULL);
    check(hvloop_log_set_handler(none) == 0 && dropped == before + 1 && lines == 1, "given up");
    check(hvloop_log_set_level(HVLOOP_LOG_LEVEL_OFF) == 0, "off");
}

int main(void) {
    bad_input();
    one_loop();
    hosted();
    threads();
    logging();
    return 0;
}
