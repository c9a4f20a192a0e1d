/// Requests and responses of HTTP.
#ifndef HV_HTTP_MESSAGE_H_
#define HV_HTTP_MESSAGE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../hvloop.h"
#include "hstring.h"
#include "http_content.h"
#include "httpdef.h"

typedef std::map<std::string, std::string, hv::StringCaseLess> http_headers;
typedef std::string http_body;

/// None: the default where headers may be given.
static const http_headers DefaultHeaders;

struct HttpCookie {
    std::string name, value, domain, path, expires;
    int max_age;
    bool secure, httponly;

    HttpCookie() : max_age(0), secure(false), httponly(false) {}

    /// As Set-Cookie has it.
    std::string dump() const {
        std::string text = name + "=" + value;
        if (!domain.empty()) text += "; Domain=" + domain;
        if (!path.empty()) text += "; Path=" + path;
        if (max_age > 0) text += "; Max-Age=" + std::to_string(max_age);
        else if (!expires.empty()) text += "; Expires=" + expires;
        if (secure) text += "; Secure";
        if (httponly) text += "; HttpOnly";
        return text;
    }
};
typedef std::vector<HttpCookie> http_cookies;

/// What both have.
class HttpMessage {
  public:
    int type;
    unsigned short http_major, http_minor;
    http_headers headers;
    http_cookies cookies;
    http_body body;

    HttpMessage() : type(HTTP_BOTH), http_major(1), http_minor(1) {}
    virtual ~HttpMessage() {}

    virtual void Reset() {
        headers.clear();
        cookies.clear();
        body.clear();
    }

    void SetHeader(const char *key, const std::string &value) { headers[key] = value; }
    std::string GetHeader(const char *key, const std::string &defvalue = std::string()) const {
        const http_headers::const_iterator found = headers.find(key);
        return found == headers.end() ? defvalue : found->second;
    }
    void AddCookie(const HttpCookie &cookie) { cookies.push_back(cookie); }
    const HttpCookie &GetCookie(const std::string &name) const {
        static const HttpCookie none;
        for (size_t i = 0; i < cookies.size(); ++i) {
            if (cookies[i].name == name) return cookies[i];
        }
        return none;
    }

    void SetBody(const std::string &text) { body = text; }
    const std::string &Body() const { return body; }
    size_t ContentLength() const { return body.size(); }
    void *Content() { return body.empty() ? NULL : &body[0]; }

    http_content_type ContentType() const { return http_content_type_enum(GetHeader("Content-Type").c_str()); }
    void SetContentType(http_content_type content_type) { SetContentType(http_content_type_str(content_type)); }
    void SetContentType(const char *content_type) { headers["Content-Type"] = content_type; }

    /// A text as body. 200.
    int String(const std::string &text) {
        SetContentType(TEXT_PLAIN);
        body = text;
        return HTTP_STATUS_OK;
    }
    int Data(void *data, int len, bool nocopy = true) {
        (void)nocopy;
        if (GetHeader("Content-Type").empty()) SetContentType(APPLICATION_OCTET_STREAM);
        body.assign(static_cast<const char *>(data), len > 0 ? static_cast<size_t>(len) : 0);
        return HTTP_STATUS_OK;
    }

    hv::KeyValue GetUrlEncoded() const {
        hv::KeyValue pairs;
        hv::parse_query_params(body.c_str(), pairs);
        return pairs;
    }
    std::string GetUrlEncoded(const char *key, const std::string &defvalue = std::string()) const {
        const hv::KeyValue pairs = GetUrlEncoded();
        const hv::KeyValue::const_iterator found = pairs.find(key);
        return found == pairs.end() ? defvalue : found->second;
    }

    void DumpHeaders(std::string &text) const {
        for (http_headers::const_iterator it = headers.begin(); it != headers.end(); ++it) {
            text += it->first + ": " + it->second + "\r\n";
        }
    }

  protected:
    std::string dump(const std::string &line, bool with_headers, bool with_body) const {
        std::string text;
        if (with_headers) {
            text = line + "\r\n";
            DumpHeaders(text);
            text += "\r\n";
        }
        if (with_body) text += body;
        return text;
    }
};

class HttpRequest : public HttpMessage {
  public:
    http_method method;
    std::string url;
    std::string scheme;
    std::string host;
    int port;
    /// With the query.
    std::string path;
    hv::QueryParams query_params;
    hv::NetAddr client_addr;

    HttpRequest() : method(HTTP_GET), scheme("http"), port(0), path("/") { type = HTTP_REQUEST; }

    void Reset() {
        HttpMessage::Reset();
        query_params.clear();
        path = "/";
    }

    const char *Method() const { return http_method_str(method); }
    void SetMethod(const char *name) { method = http_method_enum(name); }
    const std::string &Url() const { return url; }
    std::string FullPath() const { return path; }
    /// Without the query.
    std::string Path() const { return path.substr(0, path.find('?')); }
    std::string Host() const {
        const std::string field = GetHeader("Host", host);
        return field.substr(0, field.find(':'));
    }
    std::string GetParam(const char *key, const std::string &defvalue = std::string()) const {
        const hv::QueryParams::const_iterator found = query_params.find(key);
        return found == query_params.end() ? defvalue : found->second;
    }
    template <typename T> void SetParam(const char *key, const T &value) {
        query_params[key] = hv::to_string(value);
    }

    std::string Dump(bool with_headers = true, bool with_body = false) const {
        return dump(std::string(Method()) + " " + path + " HTTP/1.1", with_headers, with_body);
    }

    /// One that hvloop has, which goes with its callback.
    void assign(const hvloop_http_request *request) {
        SetMethod(text(hvloop_http_request_method(request)).c_str());
        const std::string query = text(hvloop_http_request_query(request));
        path = text(hvloop_http_request_path(request)) + (query.empty() ? "" : "?" + query);
        hv::parse_query_params(query.c_str(), query_params);
        const uint64_t count = hvloop_http_request_header_count(request);
        for (uint64_t i = 0; i < count; ++i) {
            const char *name = NULL, *value = NULL;
            if (hvloop_http_request_header(request, static_cast<size_t>(i), &name, &value) == 0) {
                std::string &field = headers[name];
                field = field.empty() ? value : field + ", " + value;
            }
        }
        host = GetHeader("Host");
        url = scheme + "://" + host + path;
        const std::vector<std::string> pairs = hv::split(GetHeader("Cookie"), ';');
        for (size_t i = 0; i < pairs.size(); ++i) {
            const size_t at = pairs[i].find('=');
            if (at == std::string::npos) continue;
            HttpCookie cookie;
            cookie.name = hv::trim(pairs[i].substr(0, at));
            cookie.value = hv::trim(pairs[i].substr(at + 1));
            cookies.push_back(cookie);
        }
        size_t size = 0;
        const void *const bytes = hvloop_http_request_body(request, &size);
        if (bytes) body.assign(static_cast<const char *>(bytes), size);
    }

  private:
    static std::string text(const char *given) { return given ? given : ""; }
};

class HttpResponse : public HttpMessage {
  public:
    http_status status_code;

    HttpResponse() : status_code(HTTP_STATUS_OK) { type = HTTP_RESPONSE; }

    void Reset() {
        HttpMessage::Reset();
        status_code = HTTP_STATUS_OK;
    }

    const char *status_message() const { return http_status_str(status_code); }

    int Redirect(const std::string &location, http_status status = HTTP_STATUS_FOUND) {
        status_code = status;
        SetHeader("Location", location);
        return status;
    }

    std::string Dump(bool with_headers = true, bool with_body = false) const {
        return dump("HTTP/1.1 " + std::to_string(static_cast<int>(status_code)) + " " + status_message(),
                    with_headers, with_body);
    }

    /// One that hvloop has.
    void assign(const hvloop_http_response *response) {
        status_code = static_cast<http_status>(hvloop_http_response_status(response));
        const uint64_t count = hvloop_http_response_header_count(response);
        for (uint64_t i = 0; i < count; ++i) {
            const char *name = NULL, *value = NULL;
            if (hvloop_http_response_header(response, static_cast<size_t>(i), &name, &value) == 0) {
                std::string &field = headers[name];
                field = field.empty() ? value : field + ", " + value;
            }
        }
        size_t size = 0;
        const void *const bytes = hvloop_http_response_body(response, &size);
        if (bytes) body.assign(static_cast<const char *>(bytes), size);
    }

    /// Fills in hvloop's answer.
    void put(hvloop_http_response *answer) const {
        hvloop_http_response_set_status(answer, static_cast<int>(status_code));
        for (http_headers::const_iterator it = headers.begin(); it != headers.end(); ++it) {
            // How long the body is, and how it is sent, is hvloop's to say.
            if (strcasecmp(it->first.c_str(), "Content-Length") == 0 ||
                strcasecmp(it->first.c_str(), "Transfer-Encoding") == 0) {
                continue;
            }
            if (hvloop_http_response_add_header(answer, it->first.c_str(), it->second.c_str()) != 0) {
                hvloop_log_write(HVLOOP_LOG_LEVEL_WARN, ("a header is left out: " + it->first).c_str());
            }
        }
        for (size_t i = 0; i < cookies.size(); ++i) {
            hvloop_http_response_add_header(answer, "Set-Cookie", cookies[i].dump().c_str());
        }
        hvloop_http_response_set_body(answer, body.data(), body.size());
    }
};

typedef std::shared_ptr<HttpRequest> HttpRequestPtr;
typedef std::shared_ptr<HttpResponse> HttpResponsePtr;
typedef std::function<void(const HttpResponsePtr &)> HttpResponseCallback;

#endif // HV_HTTP_MESSAGE_H_
