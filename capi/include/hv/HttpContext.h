/// What a handler has of a request.
#ifndef HV_HTTP_CONTEXT_H_
#define HV_HTTP_CONTEXT_H_

#include "HttpMessage.h"
#include "HttpResponseWriter.h"

namespace hv {

struct HttpService;

/// A request and its answer. What sends only fills in the answer, which goes out when the handler has returned what
/// that returned: the status.
struct HttpContext {
    HttpService *service;
    HttpRequestPtr request;
    HttpResponsePtr response;
    HttpResponseWriterPtr writer;
    void *userdata;

    HttpContext() : service(NULL), userdata(NULL) {}

    std::string ip() { return request->client_addr.ip; }
    int port() { return request->client_addr.port; }
    http_method method() { return request->method; }
    std::string url() { return request->url; }
    std::string path() { return request->Path(); }
    std::string fullpath() { return request->FullPath(); }
    std::string host() { return request->Host(); }
    const http_headers &headers() { return request->headers; }
    std::string header(const char *key, const std::string &defvalue = std::string()) {
        return request->GetHeader(key, defvalue);
    }
    const QueryParams &params() { return request->query_params; }
    std::string param(const char *key, const std::string &defvalue = std::string()) {
        return request->GetParam(key, defvalue);
    }
    const HttpCookie &cookie(const char *name) { return request->GetCookie(name); }
    int length() { return static_cast<int>(request->body.size()); }
    http_content_type type() { return request->ContentType(); }
    bool is(http_content_type content_type) { return type() == content_type; }
    bool is(const char *content_type) { return type() == http_content_type_enum(content_type); }
    std::string &body() { return request->body; }
    KeyValue urlencoded() { return request->GetUrlEncoded(); }
    std::string urlencoded(const char *key, const std::string &defvalue = std::string()) {
        return request->GetUrlEncoded(key, defvalue);
    }
    /// Of the query, or of a form.
    std::string get(const char *key, const std::string &defvalue = std::string()) {
        return request->GetParam(key, is(APPLICATION_URLENCODED) ? urlencoded(key, defvalue) : defvalue);
    }
    template <typename T> T get(const char *key, T defvalue = T()) {
        const std::string text = get(key, std::string());
        return text.empty() ? defvalue : from_string<T>(text);
    }

    void setStatus(http_status status) { response->status_code = status; }
    void setContentType(http_content_type content_type) { response->SetContentType(content_type); }
    void setContentType(const char *content_type) { response->SetContentType(content_type); }
    void setHeader(const char *key, const std::string &value) { response->SetHeader(key, value); }
    void setCookie(const HttpCookie &cookie) { response->AddCookie(cookie); }
    void setBody(const std::string &body) { response->body = body; }

    int send() { return response->status_code; }
    int send(const std::string &str, http_content_type content_type = APPLICATION_JSON) {
        response->SetContentType(content_type);
        response->body = str;
        return send();
    }
    int sendString(const std::string &str) {
        response->String(str);
        return send();
    }
    int sendData(void *data, int len, bool nocopy = true) {
        response->Data(data, len, nocopy);
        return send();
    }
    /// Of any class that has `dump()`, as those of JSON libraries do.
    template <typename T> int sendJson(const T &value) { return send(value.dump(), APPLICATION_JSON); }
    int redirect(const std::string &location, http_status status = HTTP_STATUS_FOUND) {
        return response->Redirect(location, status);
    }
};

} // namespace hv

typedef std::shared_ptr<hv::HttpContext> HttpContextPtr;

#endif // HV_HTTP_CONTEXT_H_
