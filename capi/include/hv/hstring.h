/// Strings, by libhv's names.
#ifndef HV_STRING_H_
#define HV_STRING_H_

#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "hplatform.h"

#define SPACE_CHARS " \t\r\n\v\f"

namespace hv {

typedef std::vector<std::string> StringList;

/// Orders without regard to case, as header fields are.
struct StringCaseLess {
    bool operator()(const std::string &lhs, const std::string &rhs) const {
        return strcasecmp(lhs.c_str(), rhs.c_str()) < 0;
    }
};

typedef std::map<std::string, std::string> KeyValue;

template <typename T> std::string to_string(const T &value) {
    std::ostringstream stream;
    stream << value;
    return stream.str();
}

template <typename T> T from_string(const std::string &text) {
    std::istringstream stream(text);
    T value = T();
    stream >> value;
    return value;
}

inline std::string &toupper(std::string &text) {
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] >= 'a' && text[i] <= 'z') text[i] = static_cast<char>(text[i] - 'a' + 'A');
    }
    return text;
}

inline std::string &tolower(std::string &text) {
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] >= 'A' && text[i] <= 'Z') text[i] = static_cast<char>(text[i] - 'A' + 'a');
    }
    return text;
}

inline bool startswith(const std::string &text, const std::string &start) {
    return text.compare(0, start.size(), start) == 0;
}

inline bool endswith(const std::string &text, const std::string &end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

inline bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

inline std::string ltrim(const std::string &text, const char *chars = SPACE_CHARS) {
    const size_t begin = text.find_first_not_of(chars);
    return begin == std::string::npos ? std::string() : text.substr(begin);
}

inline std::string rtrim(const std::string &text, const char *chars = SPACE_CHARS) {
    const size_t last = text.find_last_not_of(chars);
    return last == std::string::npos ? std::string() : text.substr(0, last + 1);
}

inline std::string trim(const std::string &text, const char *chars = SPACE_CHARS) {
    return ltrim(rtrim(text, chars), chars);
}

inline StringList split(const std::string &text, char delim = ',') {
    StringList parts;
    size_t begin = 0;
    while (true) {
        const size_t end = text.find(delim, begin);
        if (end == std::string::npos) break;
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    parts.push_back(text.substr(begin));
    return parts;
}

inline KeyValue splitKV(const std::string &text, char pair_delim = '&', char value_delim = '=') {
    KeyValue pairs;
    const StringList parts = split(text, pair_delim);
    for (size_t i = 0; i < parts.size(); ++i) {
        const size_t at = parts[i].find(value_delim);
        if (at != std::string::npos) {
            pairs[trim(parts[i].substr(0, at))] = trim(parts[i].substr(at + 1));
        }
    }
    return pairs;
}

/// The first one of what is found.
inline std::string replace(const std::string &text, const std::string &find, const std::string &with) {
    std::string made(text);
    const size_t at = made.find(find);
    if (at != std::string::npos) made.replace(at, find.size(), with);
    return made;
}

inline std::string replaceAll(const std::string &text, const std::string &find, const std::string &with) {
    std::string made(text);
    for (size_t at = find.empty() ? std::string::npos : made.find(find); at != std::string::npos;
         at = made.find(find, at + with.size())) {
        made.replace(at, find.size(), with);
    }
    return made;
}

#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
inline std::string asprintf(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    std::string text;
    if (size > 0) {
        text.resize(static_cast<size_t>(size) + 1);
        vsnprintf(&text[0], text.size(), format, again);
        text.resize(static_cast<size_t>(size));
    }
    va_end(again);
    return text;
}

/// "address:port", "[address]:port", or a port alone.
struct NetAddr {
    std::string ip;
    int port;

    NetAddr() : port(0) {}
    NetAddr(const std::string &address, int number) : ip(address), port(number) {}
    explicit NetAddr(const std::string &text) : port(0) { from_string(text); }

    void from_string(const std::string &text) {
        const size_t colon = text.rfind(':');
        if (colon == std::string::npos) {
            port = atoi(text.c_str());
            return;
        }
        ip = trim(text.substr(0, colon), "[]");
        port = atoi(text.c_str() + colon + 1);
    }

    std::string to_string() const { return to_string(ip.c_str(), port); }

    static std::string to_string(const char *address, int number) {
        const bool six = strchr(address, ':') != NULL;
        return asprintf(six ? "[%s]:%d" : "%s:%d", address, number);
    }
};

} // namespace hv

#endif // HV_STRING_H_
