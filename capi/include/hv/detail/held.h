/// Which object of C++ is that of a connection.
#ifndef HVLOOP_HV_DETAIL_HELD_H
#define HVLOOP_HV_DETAIL_HELD_H

#include <memory>

#include "../Channel.h"

namespace hv {
namespace detail {

/// Keeps a channel with its connection: that of a `hio_t` goes after the connection's last callback, also if nobody
/// is called any more, since the client or server is gone.
template <class TSocketChannel> class Held {
  public:
    typedef std::shared_ptr<TSocketChannel> Ptr;

    /// A channel that has no connection yet, for a socket or none.
    static Ptr make(hloop_t *loop, int fd) {
        hio_t *const io = hvloop_hio_new(loop, fd);
        if (!io) return Ptr();
        Ptr channel = std::make_shared<TSocketChannel>(io);
        io->object = new Ptr(channel);
        io->drop = &drop;
        channel->status = Channel::OPENED;
        return channel;
    }

    /// Its connection is up. `NULL`: make one.
    static Ptr open(Ptr channel, hvloop_io *handle) {
        if (!channel || !channel->io_) {
            hloop_t *const loop = hvloop_io_loop(handle);
            channel = make(loop, hvloop_io_fd(handle));
            // The handle of a loop that runs is somebody else's, too.
            hvloop_loop_release(loop);
        }
        if (!channel) return channel;
        hio_t *const io = channel->io_;
        hvloop_hio_attach(io, handle);
        channel->attach(handle);
        return channel;
    }

    /// That of a connection, in its callbacks.
    static Ptr of(hvloop_io *handle) {
        hio_t *const io = handle ? hvloop_hio_of(handle) : NULL;
        return io && io->object ? *static_cast<Ptr *>(io->object) : Ptr();
    }

    /// One that never had a connection goes.
    static void abandon(const Ptr &channel) {
        if (channel && channel->io_ && !channel->io_->handle) hvloop_hio_free(channel->io_);
    }

  private:
    static void drop(void *object) {
        HVLOOP_TRY {
            const std::unique_ptr<Ptr> held(static_cast<Ptr *>(object));
            if ((*held)->io_) (*held)->detach((*held)->error());
            (*held)->dropCallbacks();
        }
        HVLOOP_CAUGHT("destructor")
    }
};

/// A client's or server's callbacks for streams, in the ABI's form: `Owner` has `opened(io)`, which gives the
/// channel, `closed(io, error)`, which does, too, and libhv's members. Each call keeps what it needs, as it may
/// destroy the owner.
template <class Owner, class TSocketChannel> struct StreamCalls {
    typedef std::shared_ptr<TSocketChannel> Ptr;
    typedef Held<TSocketChannel> Channels;

    static hvloop_io_callbacks table(Owner *owner) {
        hvloop_io_callbacks calls = hvloop_io_callbacks();
        calls.on_open = &on_open;
        calls.on_message = &on_message;
        calls.on_write_complete = &on_write_complete;
        calls.on_close = &on_close;
        calls.data = owner;
        return calls;
    }

    static void on_open(void *data, hvloop_io *io) {
        HVLOOP_TRY {
            Owner *const owner = static_cast<Owner *>(data);
            const Ptr channel = owner->opened(io);
            if (channel && channel->onconnect) channel->onconnect();
            else if (channel && owner->onConnection) owner->onConnection(channel);
            return;
        }
        HVLOOP_CAUGHT("onConnection")
        hvloop_io_close(io);
    }

    static void on_message(void *data, hvloop_io *io, const void *bytes, size_t size) {
        HVLOOP_TRY {
            Owner *const owner = static_cast<Owner *>(data);
            const Ptr channel = Channels::of(io);
            if (!channel) return;
            Buffer buffer(const_cast<void *>(bytes), size);
            if (channel->onread) channel->onread(&buffer);
            else if (owner->onMessage) owner->onMessage(channel, &buffer);
            return;
        }
        HVLOOP_CAUGHT("onMessage")
        hvloop_io_close(io);
    }

    static void on_write_complete(void *data, hvloop_io *io, size_t size) {
        HVLOOP_TRY {
            Owner *const owner = static_cast<Owner *>(data);
            const Ptr channel = Channels::of(io);
            if (!channel) return;
            Buffer buffer(NULL, size);
            if (channel->onwrite) channel->onwrite(&buffer);
            else if (owner->onWriteComplete) owner->onWriteComplete(channel, &buffer);
            return;
        }
        HVLOOP_CAUGHT("onWriteComplete")
        hvloop_io_close(io);
    }

    static void on_close(void *data, hvloop_io *io, int error, const char *) {
        HVLOOP_TRY {
            Owner *const owner = static_cast<Owner *>(data);
            const Ptr channel = owner->closed(io, error);
            if (!channel) return;
            const Callback<void(const Ptr &)> told = owner->onConnection;
            if (channel->onclose) channel->onclose();
            if (told) told(channel);
            channel->dropCallbacks();
        }
        HVLOOP_CAUGHT("onConnection")
    }
};

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_HELD_H
