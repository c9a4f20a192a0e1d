/// Which paths a route is for.
#ifndef HVLOOP_HV_DETAIL_ROUTE_H
#define HVLOOP_HV_DETAIL_ROUTE_H

#include <string>

#include "../http_content.h"

namespace hv {
namespace detail {

/// A path, in which `:name` and `{name}` stand for a part without a slash, and a `*` at its end for anything.
class Route {
  public:
    static const int kinds = 3;

    explicit Route(const std::string &path) : kind_(0) {
        std::string text = path;
        if (!text.empty() && text[text.size() - 1] == '*') {
            kind_ = 2;
            text.erase(text.size() - 1);
        }
        parts_ = split(text, '/');
        for (size_t i = 0; kind_ == 0 && i < parts_.size(); ++i) {
            if (!name(parts_[i]).empty()) kind_ = 1;
        }
    }

    /// 0: exact; 1: with names; 2: with a star.
    int kind() const { return kind_; }

    /// Whether it is for a path; `named` gets what the names stand for.
    bool matches(const std::string &path, QueryParams &named) const {
        const StringList given = split(path, '/');
        if (kind_ == 2 ? given.size() < parts_.size() : given.size() != parts_.size()) return false;
        for (size_t i = 0; i < parts_.size(); ++i) {
            const std::string called = name(parts_[i]);
            // What the star is behind.
            const bool last = kind_ == 2 && i + 1 == parts_.size();
            if (!called.empty() && !given[i].empty()) {
                named[called] = url_decode(given[i]);
            } else if (last ? !startswith(given[i], parts_[i]) : given[i] != parts_[i]) {
                return false;
            }
        }
        return true;
    }

  private:
    static std::string name(const std::string &part) {
        if (part.size() > 1 && part[0] == ':') return part.substr(1);
        if (part.size() > 2 && part[0] == '{' && part[part.size() - 1] == '}') return part.substr(1, part.size() - 2);
        return std::string();
    }

    StringList parts_;
    int kind_;
};

} // namespace detail
} // namespace hv

#endif // HVLOOP_HV_DETAIL_ROUTE_H
