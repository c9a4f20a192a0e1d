/// What stands in the query of a URL, or in a form.
#ifndef HV_HTTP_CONTENT_H_
#define HV_HTTP_CONTENT_H_

#include <string>

#include "hstring.h"
#include "httpdef.h"

namespace hv {

typedef KeyValue QueryParams;

namespace detail {

inline int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

} // namespace detail

/// What %XX and + stand for; what is no such is kept.
inline std::string url_decode(const std::string &text) {
    std::string made;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            made += ' ';
        } else if (text[i] == '%' && i + 2 < text.size() && detail::hex_digit(text[i + 1]) >= 0 &&
                   detail::hex_digit(text[i + 2]) >= 0) {
            made += static_cast<char>(detail::hex_digit(text[i + 1]) * 16 + detail::hex_digit(text[i + 2]));
            i += 2;
        } else {
            made += text[i];
        }
    }
    return made;
}

inline std::string url_encode(const std::string &text) {
    static const char digits[] = "0123456789ABCDEF";
    std::string made;
    for (size_t i = 0; i < text.size(); ++i) {
        const unsigned char c = static_cast<unsigned char>(text[i]);
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
            c == '.' || c == '~') {
            made += text[i];
        } else {
            made += '%';
            made += digits[c >> 4];
            made += digits[c & 15];
        }
    }
    return made;
}

inline int parse_query_params(const char *query, QueryParams &params) {
    const StringList parts = split(query ? query : "", '&');
    for (size_t i = 0; i < parts.size(); ++i) {
        const size_t at = parts[i].find('=');
        if (parts[i].empty()) continue;
        const std::string name = url_decode(parts[i].substr(0, at));
        params[name] = at == std::string::npos ? std::string() : url_decode(parts[i].substr(at + 1));
    }
    return 0;
}

inline std::string dump_query_params(const QueryParams &params) {
    std::string made;
    for (QueryParams::const_iterator it = params.begin(); it != params.end(); ++it) {
        if (!made.empty()) made += '&';
        made += url_encode(it->first) + "=" + url_encode(it->second);
    }
    return made;
}

} // namespace hv

#endif // HV_HTTP_CONTENT_H_
