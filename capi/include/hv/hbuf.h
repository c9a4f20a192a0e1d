/* Bytes with their number. */
#ifndef HV_BUF_H_
#define HV_BUF_H_

#include "hdef.h"

typedef struct hbuf_s {
    char *base;
    size_t len;
#ifdef __cplusplus
    hbuf_s() : base(NULL), len(0) {}
    hbuf_s(void *data, size_t length) : base(static_cast<char *>(data)), len(length) {}
#endif
} hbuf_t;

#ifdef __cplusplus

/// Bytes of somebody else's, for as long as those are there, or its own: after `resize` and `copy`.
class HBuf : public hbuf_t {
  public:
    HBuf() : own_(false) {}
    HBuf(void *data, size_t length) : hbuf_t(data, length), own_(false) {}
    explicit HBuf(size_t size) : own_(false) { resize(size); }
    virtual ~HBuf() { cleanup(); }

    HBuf(const HBuf &other) : hbuf_t(), own_(false) { copy(other.base, other.len); }
    HBuf &operator=(const HBuf &other) {
        if (this != &other) {
            copy(other.base, other.len);
        }
        return *this;
    }

    void *data() { return base; }
    size_t size() { return len; }
    bool isNull() { return base == NULL || len == 0; }

    /// Empty, and without memory of its own.
    void cleanup() {
        if (own_) {
            delete[] base;
            own_ = false;
        }
        base = NULL;
        len = 0;
    }

    /// So many bytes of its own: those that there were, then zeros.
    void resize(size_t size) {
        char *const made = new char[size ? size : 1]();
        if (base && len) {
            memcpy(made, base, len < size ? len : size);
        }
        cleanup();
        base = made;
        len = size;
        own_ = true;
    }

    /// Those bytes, as its own.
    void copy(void *data, size_t length) {
        char *const made = new char[length ? length : 1];
        if (length) {
            memcpy(made, data, length);
        }
        cleanup();
        base = made;
        len = length;
        own_ = true;
    }
    void copy(hbuf_t *buf) { copy(buf->base, buf->len); }

  private:
    bool own_;
};

#endif

#endif /* HV_BUF_H_ */
