/* hio_t: what C and C++ keep with a descriptor or connection, as the binding of its handle. */
#ifndef HVLOOP_HV_DETAIL_HIO_H
#define HVLOOP_HV_DETAIL_HIO_H

#include "hloop_types.h"

/* Of hloop.h: what is called, and whose it is. */
struct hvloop_hio_c;

struct hio_s {
    HEVENT_FIELDS
    /* NULL before the connection is up. Not counted: this goes with it, after its last callback. */
    hvloop_io *handle;
    int fd;
    int error;
    void *context; /* hio_set_context */
    /* hv::Channel, and how it goes. */
    void *object;
    void (*drop)(void *data);
    struct hvloop_hio_c *c;
    /* It is on its way from one loop to another, and outlives its connection. */
    bool held;
};

HV_INLINE hio_t *hvloop_hio_new(hloop_t *loop, int fd) {
    hio_t *const io = (hio_t *)calloc(1, sizeof(hio_t));
    if (io) {
        io->loop = loop;
        io->event_type = HEVENT_TYPE_IO;
        io->fd = fd;
    }
    return io;
}

HV_INLINE void hvloop_hio_free(void *data) {
    hio_t *const io = (hio_t *)data;
    if (io && io->held) {
        return;
    }
    if (io && io->drop) {
        io->drop(io->object);
    }
    if (io) {
        free(io->c);
    }
    free(io);
}

/* Gives it the connection whose handle this is, which has it from then on, and frees it at its end. */
HV_INLINE void hvloop_hio_attach(hio_t *io, hvloop_io *handle) {
    io->handle = handle;
    io->fd = hvloop_io_fd(handle);
    io->event_id = hvloop_io_id(handle);
    hvloop_io_set_binding(handle, io, hvloop_hio_free);
}

/* That of a connection, in its callbacks. NULL: it was given none. */
HV_INLINE hio_t *hvloop_hio_of(hvloop_io *handle) { return (hio_t *)hvloop_io_binding(handle); }

#endif /* HVLOOP_HV_DETAIL_HIO_H */
