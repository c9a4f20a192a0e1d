/// Clients that have a loop of their own.
#ifndef HVLOOP_HV_DETAIL_OWNER_H
#define HVLOOP_HV_DETAIL_OWNER_H

#include <memory>
#include <mutex>

namespace hv {
namespace detail {

/// Lets the end of a loop's thread find the client whose loop it was, if that is still there, so that the client drops
/// its callbacks: these often hold the client itself.
template <class Client> class Owner {
  public:
    explicit Owner(Client *client) : client_(client) {}

    /// The client goes.
    void forget() {
        std::lock_guard<std::mutex> lock(mutex_);
        client_ = NULL;
    }

    /// The loop has ended. What is dropped may be the client's last handle: with nothing locked.
    void ended() {
        typename Client::Dropped dropped;
        std::lock_guard<std::mutex> lock(mutex_);
        if (client_) client_->takeCallbacks(dropped);
    }

  private:
    std::mutex mutex_;
    Client *client_;
};

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_OWNER_H
