/* hloop.h: descriptors of the user's, and what is passed on from one connection to another. */
#ifndef HVLOOP_HV_DETAIL_HLOOP_FD_H
#define HVLOOP_HV_DETAIL_HLOOP_FD_H

#include "hloop_set.h"

HV_INLINE hio_type_e hvloop_hio_type_of(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return HIO_TYPE_UNKNOWN;
    }
    if (S_ISSOCK(status.st_mode)) {
        return HIO_TYPE_SOCKET;
    }
    /* The poller takes neither files nor devices such as /dev/null. */
    if (S_ISREG(status.st_mode) || (S_ISCHR(status.st_mode) && !isatty(fd))) {
        return HIO_TYPE_FILE;
    }
    return HIO_TYPE_PIPE;
}

/* That of a descriptor: a listener or a client that was made on this loop, or any other one, which hio_close closes. */
HV_INLINE hio_t *hio_get(hloop_t *loop, int fd) {
    hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop);
    const hio_type_e type = hvloop_hio_type_of(fd);
    hio_t *io = slot ? slot->ios : NULL;
    while (io && io->fd != fd) {
        io = io->c->next;
    }
    if (type == HIO_TYPE_UNKNOWN || (io && !io->c->closed)) {
        return io;
    }
    if (io && io->c->told && !io->c->client_side && !io->c->server && !io->c->udp) {
        /* One that was closed: it is this one's from now on. */
        hio_t **const place = io->c->place;
        hio_t *const next = io->c->next;
        memset(io->c, 0, sizeof(*io->c));
        io->c->place = place;
        io->c->next = next;
        io->c->type = type;
        io->error = 0;
        io->userdata = NULL;
        return io;
    }
    if (type == HIO_TYPE_SOCKET) {
        nonblocking(fd);
    }
    return hvloop_hio_listed(loop, fd, type);
}

/* Calls back when a descriptor is ready, which the callback is to use up. */
HV_INLINE int hio_add(hio_t *io, hio_cb cb, int events DEFAULT(HV_READ)) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c == NULL || c->client || c->server || c->udp || io->handle) {
        return -1;
    }
    c->ready_cb = cb;
    c->reading = (events & HV_READ) != 0;
    return hvloop_hio_read_foreign(io, (events & HV_READ ? HVLOOP_READABLE : 0) |
                                           (events & HV_WRITE ? HVLOOP_WRITABLE : 0));
}

HV_INLINE hio_t *hread(hloop_t *loop, int fd, void *buf, size_t len, hread_cb read_cb) {
    hio_t *const io = hio_get(loop, fd);
    if (io) {
        hio_set_readbuf(io, buf, len);
        hio_setcb_read(io, read_cb);
        hio_read(io);
    }
    return io;
}
#define hrecv(loop, fd, buf, len, cb) hread(loop, fd, buf, len, cb)

HV_INLINE hio_t *hwrite(hloop_t *loop, int fd, const void *buf, size_t len, hwrite_cb write_cb DEFAULT(NULL)) {
    hio_t *const io = hio_get(loop, fd);
    if (io) {
        hio_setcb_write(io, write_cb);
        hio_write(io, buf, len);
    }
    return io;
}
#define hsend(loop, fd, buf, len, cb) hwrite(loop, fd, buf, len, cb)

HV_INLINE void hclose(hloop_t *loop, int fd) { hio_close(hio_get(loop, fd)); }

/* Accepts at a listener that was made elsewhere, of which a duplicate is taken. */
HV_INLINE hio_t *haccept(hloop_t *loop, int listenfd, haccept_cb accept_cb) {
    hio_t *const io = hvloop_hio_listed(loop, listenfd, HIO_TYPE_TCP);
    if (io) {
        hio_setcb_accept(io, accept_cb);
        if (hio_accept(io) != 0) {
            hvloop_hio_forget(io);
            return NULL;
        }
    }
    return io;
}

/* Two ends of a pipe: what is written to the second is read from the first. 0, or -1. */
HV_INLINE int hio_create_pipe(hloop_t *loop, hio_t *pipeio[2]) {
    int fds[2];
    if (pipe(fds) != 0) {
        return -1;
    }
    nonblocking(fds[0]);
    nonblocking(fds[1]);
    pipeio[0] = hio_get(loop, fds[0]);
    pipeio[1] = hio_get(loop, fds[1]);
    return pipeio[0] && pipeio[1] ? 0 : -1;
}

/* Two connections, each of which gets what the other one says. */
HV_INLINE void hio_setup_upstream(hio_t *io1, hio_t *io2) {
    if (hvloop_hio_c_of(io1) && hvloop_hio_c_of(io2)) {
        io1->c->upstream = io2;
        io2->c->upstream = io1;
    }
}
HV_INLINE hio_t *hio_get_upstream(hio_t *io) { return io->c ? io->c->upstream : NULL; }

HV_INLINE void hio_read_upstream(hio_t *io) {
    hio_t *const upstream = hio_get_upstream(io);
    if (upstream) {
        hio_read(io);
        hio_read(upstream);
    }
}

/* While much waits for the other one, no more is read of this one. */
HV_INLINE void hio_write_upstream(hio_t *io, void *buf, int bytes) {
    hio_t *const upstream = hio_get_upstream(io);
    if (upstream == NULL || bytes <= 0) {
        return;
    }
    if (hio_write(upstream, buf, (size_t)bytes) < 0) {
        hio_close(io);
    } else if (hio_write_bufsize(upstream) > HVLOOP_UPSTREAM_MOST) {
        hio_read_stop(io);
    }
}

/* Ends the other one, too. */
HV_INLINE void hio_close_upstream(hio_t *io) {
    hio_t *const upstream = hio_get_upstream(io);
    if (upstream) {
        io->c->upstream = NULL;
        upstream->c->upstream = NULL;
        hio_close(upstream);
    }
}

/* Connects to there, and passes everything on, both ways. NULL if it fails. */
HV_INLINE hio_t *hio_setup_tcp_upstream(hio_t *io, const char *host, int port, int ssl DEFAULT(0)) {
    hio_t *const upstream = hio_create_socket(io->loop, host, port, HIO_TYPE_TCP, HIO_CLIENT_SIDE);
    if (upstream == NULL) {
        return NULL;
    }
    if (ssl) {
        hio_enable_ssl(upstream);
    }
    hio_setup_upstream(io, upstream);
    hio_setcb_read(io, hio_write_upstream);
    hio_setcb_read(upstream, hio_write_upstream);
    hio_setcb_close(io, hio_close_upstream);
    hio_setcb_close(upstream, hio_close_upstream);
    hio_setcb_connect(upstream, hio_read_upstream);
    if (hio_connect(upstream) != 0) {
        io->c->upstream = NULL;
        hvloop_hio_forget(upstream);
        return NULL;
    }
    return upstream;
}
#define hio_setup_ssl_upstream(io, host, port) hio_setup_tcp_upstream(io, host, port, 1)

/* Passes datagrams on to there, and answers to who spoke last. NULL if it fails. */
HV_INLINE hio_t *hio_setup_udp_upstream(hio_t *io, const char *host, int port) {
    hio_t *const upstream = hloop_create_udp_client(io->loop, host, port);
    if (upstream) {
        hio_setup_upstream(io, upstream);
        hio_setcb_read(io, hio_write_upstream);
        hio_setcb_read(upstream, hio_write_upstream);
        hio_read_upstream(io);
    }
    return upstream;
}

#endif /* HVLOOP_HV_DETAIL_HLOOP_FD_H */
