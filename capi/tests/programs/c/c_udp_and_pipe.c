/* Datagrams both ways, what waits before they are read, and a pipe that is fed by another thread. */
#include "hv/hloop.h"
#include "hv/hsocket.h"

static hio_t *server = NULL, *client = NULL, *ends[2];
static char got[64];

static void *feed(void *data) {
    (void)data;
    if (write(hio_fd(ends[1]), "through ", 8) == 8 && write(hio_fd(ends[1]), "the pipe", 8) == 8) {
        close(hio_fd(ends[1]));
    }
    return NULL;
}

static void on_pipe(hio_t *io, void *buf, int readbytes) {
    (void)io;
    strncat(got, (char *)buf, (size_t)readbytes);
}

static void on_pipe_end(hio_t *io) {
    printf("pipe: %s, %d\n", got, hio_error(io));
    hloop_stop(hevent_loop(io));
}

static void on_question(hio_t *io, void *buf, int readbytes) {
    printf("server: %.*s\n", readbytes, (char *)buf);
    hio_write(io, "an answer", 9);
}

static void on_client_end(hio_t *io) {
    pthread_t thread;
    (void)io;
    printf("client: the end\n");
    hio_close(server);
    pthread_create(&thread, NULL, feed, NULL);
    pthread_detach(thread);
}

static void on_answer(hio_t *io, void *buf, int readbytes) {
    sockaddr_u *const peer = (sockaddr_u *)hio_peeraddr(io);
    printf("client: %.*s, from there: %d\n", readbytes, (char *)buf,
           sockaddr_port(peer) == sockaddr_port((sockaddr_u *)hio_localaddr(server)));
    hio_close(io);
}

int main(void) {
    hloop_t *loop = hloop_new(0);
    server = hloop_create_udp_server(loop, "127.0.0.1", 0);
    client = hloop_create_udp_client(loop, "127.0.0.1", sockaddr_port((sockaddr_u *)hio_localaddr(server)));
    hio_setcb_read(server, on_question);
    hio_setcb_read(client, on_answer);
    hio_setcb_close(client, on_client_end);
    hio_read(client);
    printf("sent: %d\n", hio_write(client, "a question", 10));
    hio_read(server);
    if (hio_create_pipe(loop, ends) != 0) {
        return 1;
    }
    hio_setcb_read(ends[0], on_pipe);
    hio_setcb_close(ends[0], on_pipe_end);
    hio_read(ends[0]);
    printf("ran: %d\n", hloop_run(loop));
    /* Until its loop is freed it may be named. */
    printf("late: %d, %d\n", hio_del(ends[0], HV_READ), hio_is_closed(ends[0]));
    hloop_free(&loop);
    return 0;
}
