/* hloop.h: what is called of a hio_t, its limits, and those that are made with their callbacks. */
#ifndef HVLOOP_HV_DETAIL_HLOOP_SET_H
#define HVLOOP_HV_DETAIL_HLOOP_SET_H

#include "hloop_io.h"

/* What is called. */
HV_INLINE void hio_setcb_accept(hio_t *io, haccept_cb cb) {
    if (hvloop_hio_c_of(io)) {
        io->c->accept_cb = cb;
    }
}
HV_INLINE void hio_setcb_connect(hio_t *io, hconnect_cb cb) {
    if (hvloop_hio_c_of(io)) {
        io->c->connect_cb = cb;
    }
}
HV_INLINE void hio_setcb_read(hio_t *io, hread_cb cb) {
    if (hvloop_hio_c_of(io)) {
        io->c->read_cb = cb;
    }
}
HV_INLINE void hio_setcb_write(hio_t *io, hwrite_cb cb) {
    if (hvloop_hio_c_of(io)) {
        io->c->write_cb = cb;
    }
}
HV_INLINE void hio_setcb_close(hio_t *io, hclose_cb cb) {
    if (hvloop_hio_c_of(io)) {
        io->c->close_cb = cb;
    }
}
HV_INLINE hread_cb hio_getcb_read(hio_t *io) { return io->c ? io->c->read_cb : NULL; }
HV_INLINE hwrite_cb hio_getcb_write(hio_t *io) { return io->c ? io->c->write_cb : NULL; }
HV_INLINE hclose_cb hio_getcb_close(hio_t *io) { return io->c ? io->c->close_cb : NULL; }

/* Limits, and how it is read. */
HV_INLINE void hio_set_readbuf(hio_t *io, void *buf, size_t len) {
    /* What comes is in the loop's own buffer. */
    (void)io;
    (void)buf;
    (void)len;
}
HV_INLINE void hio_set_connect_timeout(hio_t *io, int timeout_ms DEFAULT(HIO_DEFAULT_CONNECT_TIMEOUT)) {
    if (io && io->c && io->c->client) {
        hvloop_tcp_client_set_connect_timeout(io->c->client, timeout_ms);
    }
}
HV_INLINE void hio_set_close_timeout(hio_t *io, int timeout_ms DEFAULT(HIO_DEFAULT_CLOSE_TIMEOUT)) {
    (void)io;
    (void)timeout_ms;
}
HV_INLINE void hio_set_keepalive_timeout(hio_t *io, int timeout_ms DEFAULT(HIO_DEFAULT_KEEPALIVE_TIMEOUT)) {
    if (hvloop_hio_c_of(io)) {
        io->c->keepalive_ms = timeout_ms > 0 ? timeout_ms : -1;
        hvloop_hio_limits(io);
    }
}
HV_INLINE void hio_set_read_timeout(hio_t *io, int timeout_ms) {
    if (hvloop_hio_c_of(io)) {
        io->c->read_ms = timeout_ms > 0 ? timeout_ms : -1;
        hvloop_hio_limits(io);
    }
}
HV_INLINE void hio_set_write_timeout(hio_t *io, int timeout_ms) {
    if (hvloop_hio_c_of(io)) {
        io->c->write_ms = timeout_ms > 0 ? timeout_ms : -1;
        hvloop_hio_limits(io);
    }
}
HV_INLINE void hio_set_heartbeat(hio_t *io, int interval_ms, hio_send_heartbeat_fn fn) {
    if (hvloop_hio_c_of(io)) {
        io->c->heartbeat = fn;
        io->c->heartbeat_ms = interval_ms > 0 && fn ? interval_ms : -1;
        hvloop_hio_limits(io);
    }
}

/* NULL: as it comes. What hvloop does not do is refused: an error is logged, and bytes come as before. */
HV_INLINE void hio_set_unpack(hio_t *io, unpack_setting_t *setting) {
    hvloop_unpack made;
    const hvloop_unpack *unpack = NULL;
    if (setting && setting->mode != UNPACK_MODE_NONE) {
        if (hvloop_unpack_from(setting, &made) != 0) {
            hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, "hio_set_unpack: this mode is not supported");
            return;
        }
        unpack = &made;
    }
    if (io && io->handle) {
        hvloop_io_set_unpack(io->handle, unpack);
    } else if (io && io->c && io->c->client) {
        hvloop_tcp_client_set_unpack(io->c->client, unpack);
    } else if (io && io->c && io->c->server) {
        hvloop_tcp_server_set_unpack(io->c->server, unpack);
    }
}
HV_INLINE void hio_unset_unpack(hio_t *io) { hio_set_unpack(io, NULL); }

/* TLS of a client, which verifies its server. -1: a server needs a certificate. */
HV_INLINE int hio_enable_ssl(hio_t *io) {
    hvloop_tls_client *tls;
    int error;
    if (io == NULL || io->c == NULL || io->c->client == NULL) {
        return -1;
    }
    tls = hvloop_tls_client_new();
    error = hvloop_tcp_client_set_tls(io->c->client, tls, NULL);
    hvloop_tls_client_release(tls);
    return error;
}

HV_INLINE hio_t *hloop_create_tcp_server(hloop_t *loop, const char *host, int port, haccept_cb accept_cb) {
    hio_t *const io = hio_create_socket(loop, host, port, HIO_TYPE_TCP, HIO_SERVER_SIDE);
    if (io) {
        hio_setcb_accept(io, accept_cb);
        if (hio_accept(io) != 0) {
            hvloop_hio_forget(io);
            return NULL;
        }
    }
    return io;
}

HV_INLINE hio_t *hloop_create_tcp_client(hloop_t *loop, const char *host, int port, hconnect_cb connect_cb,
                                         hclose_cb close_cb) {
    hio_t *const io = hio_create_socket(loop, host, port, HIO_TYPE_TCP, HIO_CLIENT_SIDE);
    if (io) {
        hio_setcb_connect(io, connect_cb);
        hio_setcb_close(io, close_cb);
        if (hio_connect(io) != 0) {
            hvloop_hio_forget(io);
            return NULL;
        }
    }
    return io;
}

HV_INLINE hio_t *hloop_create_udp_server(hloop_t *loop, const char *host, int port) {
    return hio_create_socket(loop, host, port, HIO_TYPE_UDP, HIO_SERVER_SIDE);
}

HV_INLINE hio_t *hloop_create_udp_client(hloop_t *loop, const char *host, int port) {
    return hio_create_socket(loop, host, port, HIO_TYPE_UDP, HIO_CLIENT_SIDE);
}

#endif /* HVLOOP_HV_DETAIL_HLOOP_SET_H */
