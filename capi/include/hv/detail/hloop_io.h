/* hloop.h: connections, datagram sockets and descriptors.
 *
 * A hio_t is its connection's until its close callback has returned, a listener's until its loop is freed. Its
 * callbacks come from the loop's own frame, never from inside hio_close or hio_write. */
#ifndef HVLOOP_HV_DETAIL_HLOOP_IO_H
#define HVLOOP_HV_DETAIL_HLOOP_IO_H

#include "hloop_hio.h"
#include "settings.h"

#include <poll.h>

/* Ends it in order; its close callback comes when it has ended. */
HV_INLINE int hio_close(hio_t *io) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c == NULL) {
        return -1;
    }
    if (io->handle) {
        return hvloop_io_close(io->handle);
    }
    if (c->closed) {
        return 0;
    }
    c->closed = true;
    if (c->udp && c->opened) {
        return hvloop_udp_close(c->udp);
    }
    if (c->client) {
        /* One that has not begun has no end of its own. */
        hvloop_tcp_client_set_reconnect(c->client, NULL);
        hvloop_tcp_client_free_nowait(c->client);
        c->client = NULL;
    } else if (c->server) {
        hvloop_tcp_server_close_listeners(c->server);
    } else if (!c->udp) {
        if (c->foreign) {
            hvloop_io_close(c->foreign);
            hvloop_io_release(c->foreign);
            c->foreign = NULL;
        }
        close(io->fd);
    }
    {
        hvloop_task later;
        later.call = hvloop_hio_closed_later;
        later.drop = NULL;
        later.data = io;
        return hvloop_loop_queue_in_loop(io->loop, later);
    }
}

/* One piece of what there is to read. 1: there may be more; 0: not now, or the end. */
HV_INLINE int hvloop_hio_read_piece(hio_t *io) {
    char buffer[8192];
    struct pollfd ready;
    ssize_t size;
    ready.fd = io->fd;
    ready.events = POLLIN;
    ready.revents = 0;
    if (io->c->closed || !io->c->reading || poll(&ready, 1, 0) <= 0) {
        return 0;
    }
    /* Programs put an end behind what they got. */
    size = read(io->fd, buffer, sizeof(buffer) - 16);
    if (size > 0) {
        if (io->c->read_cb) {
            io->c->read_cb(io, buffer, (int)size);
        }
        return 1;
    }
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return 0;
    }
    io->error = size < 0 ? errno : 0;
    hio_close(io);
    return 0;
}

HV_INLINE void hvloop_hio_on_ready(void *data, hvloop_io *handle, int ready) {
    hio_t *const io = (hio_t *)data;
    int pieces = 0;
    (void)ready;
    if (io->c->ready_cb) {
        io->c->ready_cb(io);
        return;
    }
    while (hvloop_hio_read_piece(io)) {
        if (++pieces == 16) {
            /* Others come first; then it is told again. */
            hvloop_io_set_interest(handle, HVLOOP_READABLE);
            return;
        }
    }
}

/* Of what is always ready, such as a file: a piece each turn. */
HV_INLINE void hvloop_hio_on_turn(void *data) {
    hio_t *const io = (hio_t *)data;
    if (hvloop_hio_read_piece(io)) {
        hvloop_task next;
        next.call = hvloop_hio_on_turn;
        next.drop = NULL;
        next.data = io;
        hvloop_loop_queue_in_loop(io->loop, next);
    }
}

HV_INLINE int hvloop_hio_read_foreign(hio_t *io, int interest) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c == NULL || c->closed) {
        return -1;
    }
    if (c->type & HIO_TYPE_FILE) {
        hvloop_task next;
        next.call = hvloop_hio_on_turn;
        next.drop = NULL;
        next.data = io;
        return hvloop_loop_queue_in_loop(io->loop, next);
    }
    if (c->foreign == NULL) {
        hvloop_fd_callback callback;
        callback.call = hvloop_hio_on_ready;
        callback.drop = NULL;
        callback.data = io;
        c->foreign = hvloop_io_open_fd(io->loop, io->fd, interest, callback);
        return c->foreign ? 0 : -1;
    }
    return hvloop_io_set_interest(c->foreign, interest);
}

/* Connects, reads. 0, or a negative number. */

HV_INLINE int hio_connect(hio_t *io) { return io && io->c ? hvloop_tcp_client_connect(io->c->client) : -1; }

HV_INLINE int hio_read(hio_t *io) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c == NULL) {
        return -1;
    }
    if (c->udp) {
        if (!c->opened) {
            const int error = hvloop_udp_start(c->udp);
            c->opened = error == 0;
            return error;
        }
        return 0;
    }
    c->reading = true;
    if (io->handle) {
        return hvloop_io_resume_reading(io->handle);
    }
    return c->client || c->server ? 0 : hvloop_hio_read_foreign(io, HVLOOP_READABLE);
}
#define hio_read_start(io) hio_read(io)

HV_INLINE int hio_del(hio_t *io, int events DEFAULT(HV_RDWR)) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c == NULL || !(events & HV_READ)) {
        return c ? 0 : -1;
    }
    c->reading = false;
    if (io->handle) {
        return hvloop_io_pause_reading(io->handle);
    }
    if (c->foreign) {
        hvloop_io_close(c->foreign);
        hvloop_io_release(c->foreign);
        c->foreign = NULL;
    }
    return 0;
}
#define hio_read_stop(io) hio_del(io, HV_READ)

HV_INLINE int hio_read_once(hio_t *io) {
    if (io && io->handle && hvloop_hio_c_of(io)) {
        io->c->reading = true;
        return hvloop_io_read_once(io->handle);
    }
    return hio_read(io);
}

HV_INLINE int hio_read_until_delim(hio_t *io, unsigned char delim) {
    if (io == NULL || io->handle == NULL || hvloop_hio_c_of(io) == NULL) {
        return -1;
    }
    io->c->reading = true;
    return hvloop_io_read_until(io->handle, delim);
}

HV_INLINE int hio_read_until_length(hio_t *io, unsigned int length) {
    if (io == NULL || io->handle == NULL || hvloop_hio_c_of(io) == NULL) {
        return -1;
    }
    io->c->reading = true;
    return hvloop_io_read_bytes(io->handle, length);
}

#define hio_readline(io) hio_read_until_delim(io, '\n')
#define hio_readstring(io) hio_read_until_delim(io, '\0')
#define hio_readbytes(io, length) hio_read_until_length(io, length)
#define hio_read_until(io, length) hio_read_until_length(io, length)

/* All of it is queued, or nothing; before a client is connected, too: how many bytes, or -1. What the callback of writes is told is how many, and no
   bytes. */
HV_INLINE int hio_write(hio_t *io, const void *buf, size_t len) {
    hvloop_hio_c *const c = io ? io->c : NULL;
    int64_t sent = -1;
    if (io && io->handle) {
        sent = hvloop_io_send(io->handle, buf, len);
    } else if (c && c->udp) {
        hvloop_io *handle;
        if (hio_read(io) != 0) {
            return -1;
        }
        handle = hvloop_udp_io(c->udp);
        sent = hvloop_io_send_to(handle, buf, len, &c->peer, (uint32_t)SOCKADDR_LEN(&io->c->peer));
        hvloop_io_release(handle);
    } else if (c && c->client && !c->closed) {
        sent = hvloop_hio_keep(c, buf, len);
    } else if (c && !c->client_side && !c->server && !c->closed) {
        sent = write(io->fd, buf, len);
    }
    return sent < 0 ? -1 : (int)sent;
}

/* How much may wait for one of two connections before no more is read of the other one. */
#define HVLOOP_UPSTREAM_MOST (1 << 20)

HV_INLINE void hvloop_hio_on_written(void *data, hvloop_io *handle, size_t size) {
    hio_t *const io = hvloop_hio_of(handle);
    (void)data;
    if (io && io->c && io->c->upstream && !io->c->upstream->c->reading) {
        hio_read(io->c->upstream);
    }
    if (io && io->c && io->c->write_cb) {
        io->c->write_cb(io, "", (int)size);
    }
}

HV_INLINE hvloop_io_callbacks hvloop_hio_callbacks(hio_t *io) {
    hvloop_io_callbacks callbacks;
    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.on_message = hvloop_hio_on_message;
    callbacks.on_write_complete = hvloop_hio_on_written;
    callbacks.data = io;
    return callbacks;
}

HV_INLINE void hvloop_hio_serve(hio_t *io) {
    hvloop_io_callbacks callbacks = hvloop_hio_callbacks(io);
    callbacks.on_open = hvloop_hio_on_accept;
    callbacks.on_close = hvloop_hio_on_accepted_close;
    io->c->server = hvloop_tcp_server_new(io->loop);
    hvloop_tcp_server_set_callbacks(io->c->server, callbacks);
}

/* Accepts. Of a descriptor that was made elsewhere, a duplicate is taken. 0, or a negative number. */
HV_INLINE int hio_accept(hio_t *io) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c == NULL || c->client || c->udp || c->foreign || io->handle) {
        return -1;
    }
    if (c->server == NULL) {
        const int copy = dup(io->fd);
        int taken;
        if (copy < 0) {
            return -1;
        }
        hvloop_hio_serve(io);
        taken = hvloop_tcp_server_from_fd(c->server, copy);
        if (taken < 0) {
            return taken;
        }
        c->type = HIO_TYPE_TCP;
    }
    return hvloop_tcp_server_start(c->server);
}

/* A server, a client or a datagram socket, whose socket is made now. A negative port: `host` is a path. NULL if it
   fails. */
HV_INLINE hio_t *hio_create_socket(hloop_t *loop, const char *host, int port, hio_type_e type DEFAULT(HIO_TYPE_TCP),
                                   hio_side_e side DEFAULT(HIO_SERVER_SIDE)) {
    hio_t *const io = hvloop_hio_listed(loop, -1, type);
    hvloop_hio_c *const c = io ? io->c : NULL;
    socklen_t length = sizeof(c->local);
    if (c == NULL) {
        return NULL;
    }
    if (type & HIO_TYPE_SOCK_DGRAM) {
        hvloop_udp_callbacks callbacks;
        memset(&callbacks, 0, sizeof(callbacks));
        callbacks.on_message = hvloop_hio_on_datagram;
        callbacks.on_close = hvloop_hio_on_client_close;
        callbacks.data = io;
        c->udp = hvloop_udp_new(loop);
        hvloop_udp_set_callbacks(c->udp, callbacks);
        if (side == HIO_SERVER_SIDE) {
            io->fd = hvloop_udp_bind(c->udp, host, port);
        } else if (sockaddr_set_ipport(&c->peer, host, port) == 0) {
            io->fd = hvloop_udp_bind(c->udp, c->peer.sa.sa_family == AF_INET6 ? "::" : ANYADDR, 0);
        }
    } else if (side == HIO_SERVER_SIDE) {
        hvloop_hio_serve(io);
        io->fd = hvloop_tcp_server_socket(c->server, host, port, 0);
    } else {
        hvloop_io_callbacks callbacks = hvloop_hio_callbacks(io);
        callbacks.on_open = hvloop_hio_on_connect;
        callbacks.on_close = hvloop_hio_on_client_close;
        c->client_side = true;
        c->client = hvloop_tcp_client_new(loop);
        hvloop_tcp_client_set_callbacks(c->client, callbacks);
        io->fd = hvloop_tcp_client_socket(c->client, host, port);
        sockaddr_set_ipport(&c->peer, host, port);
    }
    if (io->fd < 0) {
        hvloop_hio_forget(io);
        return NULL;
    }
    getsockname(io->fd, &c->local.sa, &length);
    return io;
}

/* Takes a connection off its loop, for another one's hio_attach. */
HV_INLINE void hio_detach(hio_t *io) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c && io->handle && !io->held) {
        hvloop_io_pause_reading(io->handle);
        c->reading = false;
        io->held = true;
        hvloop_io_retain(io->handle);
    }
}

HV_INLINE void hvloop_hio_arrived(void *data) {
    hio_t *const io = (hio_t *)data;
    hvloop_io *const handle = io->handle;
    io->held = false;
    if (io->c->gone) {
        hvloop_hio_closed(io);
        hvloop_hio_free(io);
    }
    hvloop_io_release(handle);
}

/* Takes a connection to that loop: its callbacks come there from now on. */
HV_INLINE void hio_attach(hloop_t *loop, hio_t *io) {
    if (io && io->handle && io->held) {
        hvloop_task arrived;
        io->loop = loop;
        hvloop_io_move_to(io->handle, loop);
        arrived.call = hvloop_hio_arrived;
        arrived.drop = NULL;
        arrived.data = io;
        hvloop_loop_queue_in_loop(loop, arrived);
    }
}

/* What is known of it. */
HV_INLINE uint32_t hio_id(hio_t *io) { return (uint32_t)io->event_id; }
HV_INLINE int hio_fd(hio_t *io) { return io->fd; }
HV_INLINE int hio_error(hio_t *io) { return io->error; }
HV_INLINE hio_type_e hio_type(hio_t *io) { return io->c ? io->c->type : HIO_TYPE_TCP; }
HV_INLINE bool hio_is_opened(hio_t *io) {
    return io && (io->handle ? hvloop_io_is_open(io->handle) == 1 : io->c && !io->c->closed && !io->c->client);
}
HV_INLINE bool hio_is_closed(hio_t *io) { return !hio_is_opened(io); }
HV_INLINE struct sockaddr *hio_localaddr(hio_t *io) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    return c ? &c->local.sa : NULL;
}
HV_INLINE struct sockaddr *hio_peeraddr(hio_t *io) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    return c ? &c->peer.sa : NULL;
}
HV_INLINE size_t hio_write_bufsize(hio_t *io) {
    const int64_t size = io && io->handle ? hvloop_io_buffered(io->handle) : 0;
    return size > 0 ? (size_t)size : 0;
}
#define hio_write_is_complete(io) (hio_write_bufsize(io) == 0)
HV_INLINE void hio_set_context(hio_t *io, void *context) { io->context = context; }
HV_INLINE void *hio_context(hio_t *io) { return io->context; }

HV_INLINE void hio_set_peeraddr(hio_t *io, struct sockaddr *addr, int addrlen) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c && addrlen > 0 && (size_t)addrlen <= sizeof(c->peer)) {
        memcpy(&c->peer, addr, (size_t)addrlen);
    }
}

#endif /* HVLOOP_HV_DETAIL_HLOOP_IO_H */
