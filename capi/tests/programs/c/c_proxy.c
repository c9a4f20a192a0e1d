/* What comes at one port is passed on to another one, both ways, also more than fits into a queue's share. */
#include "hv/hloop.h"
#include "hv/hsocket.h"

#define BYTES (8 << 20)

static int back_port = 0;
static size_t came_back = 0;

static void on_echo(hio_t *io, void *buf, int readbytes) { hio_write(io, buf, (size_t)readbytes); }

static void on_back(hio_t *io) {
    hio_setcb_read(io, on_echo);
    hio_read(io);
}

static void on_front(hio_t *io) { hio_setup_tcp_upstream(io, "127.0.0.1", back_port, 0); }

static void on_answer(hio_t *io, void *buf, int readbytes) {
    (void)buf;
    came_back += (size_t)readbytes;
    if (came_back == BYTES) {
        printf("all came back\n");
        hio_close(io);
    }
}

static void on_connect(hio_t *io) {
    char *const bytes = (char *)calloc(1, BYTES);
    hio_setcb_read(io, on_answer);
    hio_read(io);
    printf("taken: %d\n", hio_write(io, bytes, BYTES) == BYTES);
    free(bytes);
}

static void on_close(hio_t *io) {
    printf("the end\n");
    hloop_stop(hevent_loop(io));
}

int main(void) {
    hloop_t *loop = hloop_new(0);
    hio_t *const back = hloop_create_tcp_server(loop, "127.0.0.1", 0, on_back);
    hio_t *const front = hloop_create_tcp_server(loop, "127.0.0.1", 0, on_front);
    back_port = sockaddr_port((sockaddr_u *)hio_localaddr(back));
    hloop_create_tcp_client(loop, "127.0.0.1", sockaddr_port((sockaddr_u *)hio_localaddr(front)), on_connect, on_close);
    hloop_run(loop);
    hloop_free(&loop);
    return 0;
}
