/* One loop accepts, and others serve: connections go from loop to loop. And several that accept at one listener. */
#include "hv/hloop.h"
#include "hv/hsocket.h"

#define WORKERS 2
#define CLIENTS 6

static hloop_t *workers[WORKERS];
static int next = 0, echoes = 0;

static void *work(void *loop) {
    hloop_run((hloop_t *)loop);
    return NULL;
}

static void on_read(hio_t *io, void *buf, int readbytes) {
    if (hloop_tid(hevent_loop(io)) != (long)hvloop_thread_id()) {
        printf("on another thread\n");
    }
    hio_write(io, buf, (size_t)readbytes);
}

static void on_served_end(hio_t *io) {
    if (hloop_tid(hevent_loop(io)) != (long)hvloop_thread_id()) {
        printf("its end on another thread\n");
    }
}

static void on_new_one(hevent_t *event) {
    hio_t *const io = (hio_t *)hevent_userdata(event);
    hio_attach(hevent_loop(event), io);
    hio_setcb_read(io, on_read);
    hio_setcb_close(io, on_served_end);
    hio_read(io);
}

static void on_accept(hio_t *io) {
    hevent_t event;
    hio_detach(io);
    memset(&event, 0, sizeof(event));
    event.cb = on_new_one;
    event.userdata = io;
    hloop_post_event(workers[next++ % WORKERS], &event);
}

static void on_echo(hio_t *io, void *buf, int readbytes) {
    (void)buf;
    (void)readbytes;
    hio_close(io);
}

static void on_connect(hio_t *io) {
    hio_setcb_read(io, on_echo);
    hio_read(io);
    hio_write(io, "hello", 5);
}

static void on_close(hio_t *io) {
    if (++echoes == CLIENTS) {
        hloop_stop(hevent_loop(io));
    }
}

int main(void) {
    pthread_t threads[WORKERS];
    hloop_t *loop = hloop_new(0);
    const int fd = Listen(0, "127.0.0.1");
    hio_t *const listener = haccept(loop, fd, on_accept);
    sockaddr_u local;
    socklen_t length = sizeof(local);
    int i;
    printf("listening: %d\n", listener != NULL && getsockname(fd, &local.sa, &length) == 0);
    for (i = 0; i < WORKERS; ++i) {
        workers[i] = hloop_new(0);
        pthread_create(&threads[i], NULL, work, workers[i]);
    }
    for (i = 0; i < CLIENTS; ++i) {
        hloop_create_tcp_client(loop, "127.0.0.1", sockaddr_port(&local), on_connect, on_close);
    }
    hloop_run(loop);
    for (i = 0; i < WORKERS; ++i) {
        hloop_stop(workers[i]);
        pthread_join(threads[i], NULL);
        hloop_free(&workers[i]);
    }
    hloop_free(&loop);
    close(fd);
    printf("echoes: %d\n", echoes);
    return 0;
}
