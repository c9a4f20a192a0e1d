/// Answers that are written piece by piece.
#ifndef HV_HTTP_RESPONSE_WRITER_H_
#define HV_HTTP_RESPONSE_WRITER_H_

#include <mutex>

#include "HttpMessage.h"

namespace hv {

/// Gathers an answer, which is sent when the handler has returned: `End` has to be called by then. Later is too late:
/// the client was answered with 501.
class HttpResponseWriter {
  public:
    HttpResponsePtr response;

    explicit HttpResponseWriter(const HttpResponsePtr &resp) : response(resp), state_(OPEN) {}

    int Begin() { return 0; }
    int WriteStatus(http_status status) {
        return write([this, status]() { response->status_code = status; });
    }
    int WriteHeader(const char *key, const char *value) {
        return write([this, key, value]() { response->headers[key] = value; });
    }
    template <typename T> int WriteHeader(const char *key, T number) {
        return WriteHeader(key, hv::to_string(number).c_str());
    }
    int WriteCookie(const HttpCookie &cookie) {
        return write([this, &cookie]() { response->cookies.push_back(cookie); });
    }
    int EndHeaders(const char *key = NULL, const char *value = NULL) { return key ? WriteHeader(key, value) : 0; }
    template <typename T> int EndHeaders(const char *key, T number) { return WriteHeader(key, number); }

    int WriteBody(const char *buf, int len = -1) {
        return WriteBody(len < 0 ? std::string(buf) : std::string(buf, static_cast<size_t>(len)));
    }
    int WriteBody(const std::string &str) {
        const int error = write([this, &str]() { response->body += str; });
        return error ? error : static_cast<int>(str.size());
    }
    int WriteChunked(const char *buf, int len = -1) { return WriteBody(buf, len); }
    int WriteChunked(const std::string &str) { return WriteBody(str); }
    int EndChunked() { return End(); }

    int WriteResponse(HttpResponse *resp) {
        return write([this, resp]() { *response = *resp; });
    }

    int End(const char *buf = NULL, int len = -1) {
        if (buf && WriteBody(buf, len) < 0) return -1;
        return finish();
    }
    int End(const std::string &str) { return WriteBody(str) < 0 ? -1 : finish(); }

    /// What is written from now on is too late. Whether the answer is whole. For hvloop.
    bool close() {
        std::lock_guard<std::mutex> lock(mutex_);
        const bool whole = state_ == ENDED;
        state_ = CLOSED;
        return whole;
    }

  private:
    enum State { OPEN, ENDED, CLOSED };

    template <typename F> int write(F f) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (state_ != OPEN) return -1;
        f();
        return 0;
    }

    int finish() {
        std::lock_guard<std::mutex> lock(mutex_);
        if (state_ != OPEN) return -1;
        state_ = ENDED;
        return 0;
    }

    std::mutex mutex_;
    State state_;
};

} // namespace hv

typedef std::shared_ptr<hv::HttpResponseWriter> HttpResponseWriterPtr;

#endif // HV_HTTP_RESPONSE_WRITER_H_
