#include "squares.h"

#include <memory>

#include "hv/EventLoop.h"

namespace {

/// As C++ code on libhv is written: it is given a loop, and sets timers on it.
class Squares {
  public:
    typedef std::function<void(uint32_t, uint32_t)> Answer;

    Squares(const hv::EventLoopPtr &loop, Answer answer)
        : loop_(loop), answer_(std::make_shared<Answer>(std::move(answer))) {}

    void ask(uint32_t n) {
        // Not `this`: a question may be under way when the object goes.
        std::weak_ptr<Answer> answer = answer_;
        loop_->setTimeout(1, [answer, n](hv::TimerID) {
            const std::shared_ptr<Answer> alive = answer.lock();
            if (alive) (*alive)(n, n * n);
        });
    }

  private:
    hv::EventLoopPtr loop_;
    std::shared_ptr<Answer> answer_;
};

} // namespace

struct squares {
    Squares inner;
};

extern "C" squares *squares_new(hvloop_loop *loop, void (*answer)(void *, uint32_t, uint32_t), void *data) {
    const hv::EventLoopPtr shared = std::make_shared<hv::EventLoop>(loop);
    return new squares{Squares(shared, [answer, data](uint32_t n, uint32_t square) { answer(data, n, square); })};
}

extern "C" void squares_ask(squares *self, uint32_t n) { self->inner.ask(n); }

extern "C" void squares_free(squares *self) { delete self; }
