/// Where something is in its life, by libhv's names.
#ifndef HV_STATUS_HPP_
#define HV_STATUS_HPP_

#include <atomic>

namespace hv {

/// What has a status. That of loops and their threads is hvloop's: `setStatus` does not change it.
class Status {
  public:
    enum KStatus {
        kNull = 0,
        kInitializing = 1,
        kInitialized = 2,
        kStarting = 3,
        kStarted = 4,
        kRunning = 5,
        kPause = 6,
        kStopping = 7,
        kStopped = 8,
        kDestroyed = 9,
    };

    Status() : status_(kNull) {}
    virtual ~Status() {}

    virtual KStatus status() const { return status_; }
    void setStatus(KStatus status) { status_ = status; }

    bool isRunning() const { return status() == kRunning; }
    bool isPause() const { return status() == kPause; }
    bool isStopped() const { return status() == kStopped; }

  private:
    std::atomic<KStatus> status_;
};

} // namespace hv

#endif // HV_STATUS_HPP_
