/// Where a loop is in its life, by libhv's names.
#ifndef HV_STATUS_HPP_
#define HV_STATUS_HPP_

namespace hv {

/// What has a status. It is that of the loop behind it, so that nobody sets it.
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

    virtual ~Status() {}

    virtual KStatus status() const = 0;

    bool isRunning() const { return status() == kRunning; }
    bool isPause() const { return status() == kPause; }
    bool isStopped() const { return status() == kStopped; }
};

} // namespace hv

#endif // HV_STATUS_HPP_
