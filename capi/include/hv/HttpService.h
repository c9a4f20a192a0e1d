/// What answers requests.
#ifndef HV_HTTP_SERVICE_H_
#define HV_HTTP_SERVICE_H_

#include <functional>
#include <list>
#include <vector>

#include "HttpContext.h"
#include "HttpMessage.h"
#include "HttpResponseWriter.h"
#include "detail/abi.h"
#include "detail/route.h"
#include "detail/try.h"

#define BASE_URL "/api/v1"

/// Of a middleware: the next one.
#define HTTP_STATUS_NEXT 0
/// The answer comes later, which hvloop does not have: 501.
#define HTTP_STATUS_UNFINISHED 0

typedef std::function<int(HttpRequest *, HttpResponse *)> http_sync_handler;
typedef std::function<void(const HttpRequestPtr &, const HttpResponseWriterPtr &)> http_async_handler;
typedef std::function<int(const HttpContextPtr &)> http_ctx_handler;

/// A handler of any form.
struct http_handler {
    http_sync_handler sync_handler;
    http_async_handler async_handler;
    http_ctx_handler ctx_handler;

    http_handler() {}
    http_handler(http_sync_handler fn) : sync_handler(std::move(fn)) {}
    http_handler(http_async_handler fn) : async_handler(std::move(fn)) {}
    http_handler(http_ctx_handler fn) : ctx_handler(std::move(fn)) {}

    bool isNull() const { return !sync_handler && !async_handler && !ctx_handler; }
    explicit operator bool() const { return !isNull(); }

    /// The status; 0: none.
    int call(const HttpContextPtr &context) const {
        if (sync_handler) return sync_handler(context->request.get(), context->response.get());
        if (ctx_handler) return ctx_handler(context);
        if (!async_handler) return HTTP_STATUS_NOT_FOUND;
        async_handler(context->request, context->writer);
        return context->writer->close() ? static_cast<int>(context->response->status_code) : 0;
    }
};
typedef std::vector<http_handler> http_handlers;

namespace hv {

/// Routes, and what answers there. It is filled before a server starts with it, which it has to outlive.
struct HttpService {
    /// Before all routes, and after them; a status other than 0 of the first two is the answer.
    http_handler preprocessor;
    http_handlers middleware;
    /// Of what no route is for.
    http_handler processor;
    http_handler postprocessor;
    /// Of errors without a body.
    http_handler errorHandler;
    /// What all paths of routes begin with.
    std::string base_url;

    HttpService() : cors_(false) {}

    void AddRoute(const char *path, http_method method, const http_handler &handler) {
        routes_.push_back(Entry(path, method, handler));
    }

    /// A path is exact, or has `:name` or `{name}` for a part of it, or ends with a `*`.
    template <typename Handler> void Handle(const char *method, const char *path, Handler handler) {
        AddRoute(path, http_method_enum(method), http_handler(handler));
    }
    template <typename Handler> void HEAD(const char *path, Handler handler) {
        AddRoute(path, HTTP_HEAD, http_handler(handler));
    }
    template <typename Handler> void GET(const char *path, Handler handler) {
        AddRoute(path, HTTP_GET, http_handler(handler));
    }
    template <typename Handler> void POST(const char *path, Handler handler) {
        AddRoute(path, HTTP_POST, http_handler(handler));
    }
    template <typename Handler> void PUT(const char *path, Handler handler) {
        AddRoute(path, HTTP_PUT, http_handler(handler));
    }
    template <typename Handler> void Delete(const char *path, Handler handler) {
        AddRoute(path, HTTP_DELETE, http_handler(handler));
    }
    template <typename Handler> void PATCH(const char *path, Handler handler) {
        AddRoute(path, HTTP_PATCH, http_handler(handler));
    }
    /// Of each method.
    template <typename Handler> void Any(const char *path, Handler handler) {
        AddRoute(path, HTTP_CUSTOM_METHOD, http_handler(handler));
    }
    template <typename Handler> void Use(Handler handler) { middleware.push_back(http_handler(handler)); }

    /// Pages of other origins may ask.
    void AllowCORS() { cors_ = true; }

    /// Answers a request. For hvloop.
    void answer(const HttpContextPtr &context) {
        int status = HTTP_STATUS_INTERNAL_SERVER_ERROR;
        HVLOOP_TRY { status = handle(context); }
        HVLOOP_CAUGHT("handler")
        if (status <= 0) {
            hvloop_log_write(HVLOOP_LOG_LEVEL_ERROR, "a handler has not answered when it returned: 501");
            status = HTTP_STATUS_NOT_IMPLEMENTED;
            context->response = std::make_shared<HttpResponse>();
        }
        context->response->status_code = static_cast<http_status>(status);
        HVLOOP_TRY {
            if (status >= 400 && context->response->body.empty() && errorHandler) errorHandler.call(context);
            if (postprocessor) postprocessor.call(context);
        }
        HVLOOP_CAUGHT("handler")
    }

  private:
    struct Entry {
        detail::Route route;
        http_method method;
        http_handler handler;
        Entry(const char *path, http_method of, const http_handler &called)
            : route(path), method(of), handler(called) {}
    };

    int handle(const HttpContextPtr &context) {
        int status = 0;
        if (cors_ && allow(context, status)) return status;
        if (preprocessor && (status = preprocessor.call(context)) != HTTP_STATUS_NEXT) return status;
        for (size_t i = 0; i < middleware.size(); ++i) {
            if ((status = middleware[i].call(context)) != HTTP_STATUS_NEXT) return status;
        }
        bool other_method = false;
        const http_handler *const found = find(*context->request, other_method);
        if (found) return found->call(context);
        if (processor) return processor.call(context);
        return other_method ? HTTP_STATUS_METHOD_NOT_ALLOWED : HTTP_STATUS_NOT_FOUND;
    }

    /// Whether it was a question of another origin, which is answered.
    static bool allow(const HttpContextPtr &context, int &status) {
        HttpResponse &response = *context->response;
        response.headers["Access-Control-Allow-Origin"] = context->request->GetHeader("Origin", "*");
        if (context->request->method != HTTP_OPTIONS) return false;
        response.headers["Access-Control-Allow-Methods"] =
            context->request->GetHeader("Access-Control-Request-Method", "OPTIONS, HEAD, GET, POST, PUT, DELETE, PATCH");
        response.headers["Access-Control-Allow-Headers"] =
            context->request->GetHeader("Access-Control-Request-Headers", "Content-Type");
        status = HTTP_STATUS_NO_CONTENT;
        return true;
    }

    /// Exact paths first, then those with names, then those with a star; of each kind the one that came first.
    const http_handler *find(HttpRequest &request, bool &other_method) const {
        std::string path = request.Path();
        if (!base_url.empty() && startswith(path, base_url)) path = path.substr(base_url.size());
        if (path.empty()) path = "/";
        for (int kind = 0; kind < detail::Route::kinds; ++kind) {
            for (std::list<Entry>::const_iterator it = routes_.begin(); it != routes_.end(); ++it) {
                QueryParams named;
                if (it->route.kind() != kind || !it->route.matches(path, named)) continue;
                const bool any = it->method == HTTP_CUSTOM_METHOD;
                // hvloop leaves the body of an answer to HEAD out.
                const bool head = request.method == HTTP_HEAD && it->method == HTTP_GET;
                if (!any && !head && it->method != request.method) {
                    other_method = true;
                    continue;
                }
                for (QueryParams::const_iterator one = named.begin(); one != named.end(); ++one) {
                    request.query_params[one->first] = one->second;
                }
                return &it->handler;
            }
        }
        return NULL;
    }

    std::list<Entry> routes_;
    bool cors_;
};

} // namespace hv

#endif // HV_HTTP_SERVICE_H_
