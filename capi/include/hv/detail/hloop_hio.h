/* hloop.h: what C keeps with a hio_t, and what is called of it. No user names these. */
#ifndef HVLOOP_HV_DETAIL_HLOOP_HIO_H
#define HVLOOP_HV_DETAIL_HLOOP_HIO_H

#include "../hsocket.h"
#include "hio.h"
#include "loop_slot.h"

/* How much may be written before a client is connected. */
#define HVLOOP_EARLY_MOST ((size_t)16 << 20)

typedef struct hvloop_hio_c {
    hio_type_e type;
    haccept_cb accept_cb;
    hconnect_cb connect_cb;
    hread_cb read_cb;
    hwrite_cb write_cb;
    hclose_cb close_cb;
    hio_cb ready_cb;
    hio_send_heartbeat_fn heartbeat;
    int heartbeat_ms, keepalive_ms, read_ms, write_ms;
    /* One of these, unless it is a connection that a server has accepted. */
    hvloop_tcp_client *client;
    hvloop_tcp_server *server;
    hvloop_udp *udp;
    hvloop_io *foreign;
    sockaddr_u local, peer;
    hio_t *upstream;
    /* It has ended on its way from one loop to another. */
    bool gone;
    bool reading, opened, closed, client_side;
    /* Its close callback has been called. */
    bool told;
    /* What was written before a client was connected. */
    char *early;
    size_t early_size;
    /* In the list of its loop. */
    hio_t *next;
    hio_t **place;
} hvloop_hio_c;

/* What C keeps with it. NULL without memory. */
HV_INLINE hvloop_hio_c *hvloop_hio_c_of(hio_t *io) {
    if (io && io->c == NULL) {
        io->c = (hvloop_hio_c *)calloc(1, sizeof(hvloop_hio_c));
    }
    return io ? io->c : NULL;
}

/* One that goes with its loop, if nothing ends it before. */
HV_INLINE hio_t *hvloop_hio_listed(hloop_t *loop, int fd, hio_type_e type) {
    hvloop_loop_slot *const slot = hvloop_slot_of_loop(loop);
    hio_t *const io = slot ? hvloop_hio_new(loop, fd) : NULL;
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c == NULL) {
        free(io);
        return NULL;
    }
    c->type = type;
    c->next = slot->ios;
    c->place = &slot->ios;
    if (c->next) {
        c->next->c->place = &c->next;
    }
    slot->ios = io;
    return io;
}

/* Frees one that is listed, and what it is the handle of: nothing of it is called any more. */
HV_INLINE void hvloop_hio_forget(hio_t *io) {
    hvloop_hio_c *const c = io->c;
    if (c->place) {
        *c->place = c->next;
        if (c->next) {
            c->next->c->place = c->place;
        }
    }
    if (io->handle) {
        hvloop_io_set_binding(io->handle, NULL, NULL);
    }
    hvloop_tcp_client_free_nowait(c->client);
    hvloop_tcp_server_free_nowait(c->server);
    hvloop_udp_free_nowait(c->udp);
    if (c->foreign) {
        hvloop_io_close(c->foreign);
        hvloop_io_release(c->foreign);
    }
    free(c->early);
    hvloop_hio_free(io);
}

/* Its end: the close callback, and if it is listed, no more of it. */
HV_INLINE void hvloop_hio_closed(hio_t *io) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    if (c) {
        const bool listed = c->place != NULL;
        c->closed = true;
        c->told = true;
        if (c->close_cb) {
            c->close_cb(io);
        }
        /* Listeners, and descriptors of the user's, may be named until their loop is freed. */
        if (listed && (c->client_side || c->udp)) {
            hvloop_hio_forget(io);
        }
    }
}

HV_INLINE void hvloop_hio_closed_later(void *data) { hvloop_hio_closed((hio_t *)data); }

/* The connection is up: what was asked for before holds now. */
HV_INLINE void hvloop_hio_addresses(hio_t *io) {
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    uint32_t length = sizeof(c->peer);
    if (c) {
        hvloop_io_peer(io->handle, &c->peer, &length);
        length = sizeof(c->local);
        hvloop_io_local(io->handle, &c->local, &length);
    }
}

HV_INLINE void hvloop_hio_beat(void *data) {
    hio_t *const io = (hio_t *)data;
    if (io->c && io->c->heartbeat) {
        io->c->heartbeat(io);
    }
}

HV_INLINE void hvloop_hio_limits(hio_t *io) {
    const hvloop_hio_c *const c = io->c;
    if (io->handle == NULL || c == NULL || c->udp || c->foreign) {
        return;
    }
    if (c->keepalive_ms) {
        hvloop_io_set_idle_timeout(io->handle, c->keepalive_ms);
    }
    if (c->read_ms) {
        hvloop_io_set_read_timeout(io->handle, c->read_ms);
    }
    if (c->write_ms) {
        hvloop_io_set_write_timeout(io->handle, c->write_ms);
    }
    if (c->heartbeat_ms) {
        hvloop_task beat;
        beat.call = hvloop_hio_beat;
        beat.drop = NULL;
        beat.data = io;
        hvloop_io_set_heartbeat(io->handle, c->heartbeat_ms, beat);
    }
}

HV_INLINE void hvloop_hio_on_message(void *data, hvloop_io *handle, const void *bytes, size_t size) {
    hio_t *const io = hvloop_hio_of(handle);
    (void)data;
    if (io && io->c && io->c->read_cb) {
        io->c->read_cb(io, (void *)(uintptr_t)bytes, (int)size);
    }
}

/* Of a listener: `data` is its. */
HV_INLINE void hvloop_hio_on_accept(void *data, hvloop_io *handle) {
    hio_t *const listener = (hio_t *)data;
    hloop_t *const loop = hvloop_io_loop(handle);
    hio_t *const io = hvloop_hio_new(loop, -1);
    hvloop_hio_c *const c = hvloop_hio_c_of(io);
    /* It goes on without this count: the connection is on it. */
    hvloop_loop_release(loop);
    if (c == NULL) {
        free(io);
        hvloop_io_close_now(handle);
        return;
    }
    c->type = listener->c->type;
    c->opened = true;
    io->userdata = listener->userdata;
    hvloop_hio_attach(io, handle);
    hvloop_hio_addresses(io);
    if (listener->c->accept_cb) {
        listener->c->accept_cb(io);
    }
    if (!c->reading) {
        hvloop_io_pause_reading(handle);
    }
}

HV_INLINE void hvloop_hio_on_accepted_close(void *data, hvloop_io *handle, int error, const char *reason) {
    hio_t *const io = hvloop_hio_of(handle);
    (void)data;
    (void)reason;
    if (io && io->c) {
        io->error = error;
        if (io->held) {
            io->c->gone = true; /* told where it comes to */
        } else {
            hvloop_hio_closed(io);
        }
    }
}

/* Of a client: `data` is its. */
HV_INLINE void hvloop_hio_on_connect(void *data, hvloop_io *handle) {
    hio_t *const io = (hio_t *)data;
    io->handle = handle;
    io->fd = hvloop_io_fd(handle);
    io->event_id = hvloop_io_id(handle);
    io->c->opened = true;
    hvloop_io_set_binding(handle, io, NULL);
    hvloop_hio_addresses(io);
    hvloop_hio_limits(io);
    if (io->c->early_size) {
        hvloop_io_send(handle, io->c->early, io->c->early_size);
        io->c->early_size = 0;
    }
    if (io->c->connect_cb) {
        io->c->connect_cb(io);
    }
    if (!io->c->reading) {
        hvloop_io_pause_reading(handle);
    }
}

/* Keeps what is written before a client is connected. */
HV_INLINE int64_t hvloop_hio_keep(hvloop_hio_c *c, const void *buf, size_t len) {
    char *const kept = len > HVLOOP_EARLY_MOST - c->early_size ? NULL : (char *)realloc(c->early, c->early_size + len + 1);
    if (kept == NULL) {
        return -1;
    }
    memcpy(kept + c->early_size, buf, len);
    c->early = kept;
    c->early_size += len;
    return (int64_t)len;
}

HV_INLINE void hvloop_hio_on_client_close(void *data, hvloop_io *handle, int error, const char *reason) {
    hio_t *const io = (hio_t *)data;
    (void)handle;
    (void)reason;
    io->error = error;
    hvloop_hio_closed(io);
}

HV_INLINE void hvloop_hio_on_datagram(void *data, hvloop_io *handle, const void *bytes, size_t size,
                                      const void *address, uint32_t length) {
    hio_t *const io = (hio_t *)data;
    (void)handle;
    if (length <= sizeof(io->c->peer)) {
        memcpy(&io->c->peer, address, length);
    }
    if (io->c->read_cb) {
        io->c->read_cb(io, (void *)(uintptr_t)bytes, (int)size);
    }
}

#endif /* HVLOOP_HV_DETAIL_HLOOP_HIO_H */
