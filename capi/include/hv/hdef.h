/* Small macros by libhv's names. */
#ifndef HV_DEF_H_
#define HV_DEF_H_

#include "hplatform.h"

/* As often as the loop runs, or as long. */
#ifndef INFINITE
#define INFINITE (uint32_t)-1
#endif

#ifndef ABS
#define ABS(n) ((n) > 0 ? (n) : -(n))
#endif
#ifndef MAX
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#endif
#ifndef LIMIT
#define LIMIT(lower, v, upper) ((v) < (lower) ? (lower) : (v) > (upper) ? (upper) : (v))
#endif
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof(*(array)))
#endif

#ifndef CR
#define CR '\r'
#endif
#ifndef LF
#define LF '\n'
#endif
#ifndef CRLF
#define CRLF "\r\n"
#endif

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef MAX_PATH
#define MAX_PATH 260
#endif

#ifndef LLD
#define LLD(v) ((long long)(v))
#endif
#ifndef LLU
#define LLU(v) ((unsigned long long)(v))
#endif

#ifndef SAFE_FREE
#define SAFE_FREE(p)                                                                               \
    do {                                                                                           \
        if (p) {                                                                                   \
            free(p);                                                                               \
            (p) = NULL;                                                                            \
        }                                                                                          \
    } while (0)
#endif
#ifndef SAFE_DELETE
#define SAFE_DELETE(p)                                                                             \
    do {                                                                                           \
        if (p) {                                                                                   \
            delete (p);                                                                            \
            (p) = NULL;                                                                            \
        }                                                                                          \
    } while (0)
#endif
#ifndef SAFE_DELETE_ARRAY
#define SAFE_DELETE_ARRAY(p)                                                                       \
    do {                                                                                           \
        if (p) {                                                                                   \
            delete[] (p);                                                                          \
            (p) = NULL;                                                                            \
        }                                                                                          \
    } while (0)
#endif
#ifndef SAFE_CLOSE
#define SAFE_CLOSE(fd)                                                                             \
    do {                                                                                           \
        if ((fd) >= 0) {                                                                           \
            close(fd);                                                                             \
            (fd) = -1;                                                                             \
        }                                                                                          \
    } while (0)
#endif

#ifndef STRINGIFY
#define STRINGIFY_HELPER(x) #x
#define STRINGIFY(x) STRINGIFY_HELPER(x)
#endif
#ifndef STRINGCAT
#define STRINGCAT_HELPER(x, y) x##y
#define STRINGCAT(x, y) STRINGCAT_HELPER(x, y)
#endif

#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#endif

#ifdef PRINT_DEBUG
#define printd(...) printf(__VA_ARGS__)
#else
#define printd(...)
#endif
#define printe(...) fprintf(stderr, __VA_ARGS__)

typedef unsigned char BYTE;
typedef unsigned short WORD;

#endif /* HV_DEF_H_ */
