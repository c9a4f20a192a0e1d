/* A server that echoes lines, and clients on the same loop: callbacks by the names of libhv's C interface. */
#include "hv/hloop.h"
#include "hv/hsocket.h"

static hio_t *listener = NULL;
static int port = 0, open_now = 0, right = 0, refused = 0;

static void on_close(hio_t *io) {
    right += strcmp((char *)hevent_userdata(io), "one of ours") == 0 && hio_error(io) == 0;
    if (--open_now == 0) {
        hio_close(listener);
    }
}

static void on_line(hio_t *io, void *buf, int readbytes) {
    printf("server: %.*s", readbytes, (char *)buf);
    if (memcmp(buf, "bye", 3) == 0) {
        hio_close(io);
    } else {
        right += hio_write(io, buf, (size_t)readbytes) == readbytes;
    }
}

static void on_accept(hio_t *io) {
    static unpack_setting_t lines;
    char local[SOCKADDR_STRLEN] = {0}, peer[SOCKADDR_STRLEN] = {0};
    SOCKADDR_STR(hio_localaddr(io), local);
    SOCKADDR_STR(hio_peeraddr(io), peer);
    ++open_now;
    right += hio_is_opened(io) && hio_fd(io) > 2;
    right += atoi(strrchr(local, ':') + 1) == port && strncmp(peer, "127.0.0.1:", 10) == 0;
    lines.mode = UNPACK_BY_DELIMITER;
    lines.package_max_length = 1024;
    lines.delimiter[0] = '\n';
    lines.delimiter_bytes = 1;
    hio_set_unpack(io, &lines);
    hio_setcb_read(io, on_line);
    hio_setcb_close(io, on_close);
    hio_set_keepalive_timeout(io, 60000);
    hio_read(io);
}

static void on_listener_close(hio_t *io) { printf("server: no listener any more: %d\n", io == listener); }

static void on_echo(hio_t *io, void *buf, int readbytes) {
    printf("client: %.*s", readbytes, (char *)buf);
    hio_write(io, "bye\n", 4);
    /* It read one line alone: now the end, too. */
    hio_read(io);
}

static void on_connect(hio_t *io) {
    printf("client: connected %d\n", hio_is_opened(io));
    hio_setcb_read(io, on_echo);
    hio_read_until_delim(io, '\n');
    hio_write(io, "lo\n", 3);
}

static void on_client_close(hio_t *io) {
    (void)io;
    printf("client: the end\n");
}

static void on_refused(hio_t *io) {
    hio_t *client;
    refused = hio_error(io) == ECONNREFUSED;
    printf("client: refused %d\n", refused);
    client = hloop_create_tcp_client(hevent_loop(io), "127.0.0.1", port, on_connect, on_client_close);
    /* What is written before it is connected is the first to go. */
    printf("client: early %d\n", hio_write(client, "hel", 3));
}

static void on_unused(hio_t *io) {
    (void)io;
    printf("client: never connected\n");
}

static void on_never(hio_t *io) {
    (void)io;
    printf("never\n");
}

int main(void) {
    hloop_t *loop = hloop_new(HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS);
    sockaddr_u *local;
    hio_t *never;
    listener = hloop_create_tcp_server(loop, "127.0.0.1", 0, on_accept);
    hevent_set_userdata(listener, "one of ours");
    hio_setcb_close(listener, on_listener_close);
    local = (sockaddr_u *)hio_localaddr(listener);
    port = sockaddr_port(local);
    printf("listening: %d\n", port > 0 && hio_get(loop, hio_fd(listener)) == listener);
    printf("in use: %d\n", hloop_create_tcp_server(loop, "127.0.0.1", port, on_accept) == NULL);
    /* Made, and closed before it is connected. */
    never = hio_create_socket(loop, "127.0.0.1", port, HIO_TYPE_TCP, HIO_CLIENT_SIDE);
    hio_setcb_connect(never, on_never);
    hio_setcb_close(never, on_unused);
    hio_close(never);
    hloop_create_tcp_client(loop, "127.0.0.1", 1, on_never, on_refused);
    hloop_run(loop);
    hloop_free(&loop);
    printf("the end: %d, %d\n", refused, right);
    return 0;
}
