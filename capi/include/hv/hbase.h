/* Memory, strings and paths, by libhv's names: what programs use of them. */
#ifndef HV_BASE_H_
#define HV_BASE_H_

#include "hdef.h"

/* How often hv_malloc and its likes gave memory, and hv_free took it: of the whole program, so that the linker
   keeps one of each. */
#ifdef __cplusplus
extern "C" {
#endif
extern long hvloop_allocated, hvloop_freed;
__attribute__((weak)) long hvloop_allocated = 0;
__attribute__((weak)) long hvloop_freed = 0;
#ifdef __cplusplus
}
#endif

HV_INLINE void *hvloop_counted(void *memory) {
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        abort();
    }
    __atomic_fetch_add(&hvloop_allocated, 1, __ATOMIC_RELAXED);
    return memory;
}

/* Memory, never NULL: without any the program ends. */
HV_INLINE void *hv_malloc(size_t size) { return hvloop_counted(malloc(size ? size : 1)); }

HV_INLINE void *hv_calloc(size_t count, size_t size) {
    return hvloop_counted(calloc(count ? count : 1, size ? size : 1));
}

HV_INLINE void *hv_zalloc(size_t size) { return hv_calloc(1, size); }

HV_INLINE void hv_free(void *memory) {
    if (memory) {
        free(memory);
        __atomic_fetch_add(&hvloop_freed, 1, __ATOMIC_RELAXED);
    }
}

/* What is new of it is zero. */
HV_INLINE void *hv_realloc(void *memory, size_t size, size_t old_size) {
    char *moved = (char *)hv_zalloc(size);
    if (memory) {
        memcpy(moved, memory, old_size < size ? old_size : size);
        hv_free(memory);
    }
    return moved;
}

HV_INLINE long hv_alloc_cnt(void) { return __atomic_load_n(&hvloop_allocated, __ATOMIC_RELAXED); }

HV_INLINE long hv_free_cnt(void) { return __atomic_load_n(&hvloop_freed, __ATOMIC_RELAXED); }

/* Prints both counts. They are of the program's own calls: hvloop's memory is Rust's, and of a leak a sanitizer
   knows more. */
HV_INLINE void hv_memcheck(void) {
    printf("hv_malloc: %ld, hv_free: %ld\n", hv_alloc_cnt(), hv_free_cnt());
}

#define HV_MEMCHECK atexit(hv_memcheck);

#define HV_ALLOC(ptr, size) (*(void **)&(ptr) = hv_zalloc(size))
#define HV_ALLOC_SIZEOF(ptr) HV_ALLOC(ptr, sizeof(*(ptr)))
#define HV_FREE(ptr)                                                                               \
    do {                                                                                           \
        hv_free(ptr);                                                                              \
        (ptr) = NULL;                                                                              \
    } while (0)

/* Bytes that last for the block: on the stack as long as they are few. HV_STACK_FREE follows. */
#define STACK_OR_HEAP_ALLOC(ptr, size, stack_size)                                                 \
    unsigned char hvloop_stack_##ptr[stack_size];                                                  \
    if ((size_t)(size) > (size_t)(stack_size)) {                                                   \
        *(void **)&(ptr) = hv_zalloc(size);                                                        \
    } else {                                                                                       \
        memset(hvloop_stack_##ptr, 0, stack_size);                                                 \
        *(void **)&(ptr) = hvloop_stack_##ptr;                                                     \
    }
#define STACK_OR_HEAP_FREE(ptr)                                                                    \
    do {                                                                                           \
        if ((unsigned char *)(ptr) != hvloop_stack_##ptr) hv_free(ptr);                            \
        (ptr) = NULL;                                                                              \
    } while (0)
#define HV_DEFAULT_STACKBUF_SIZE 1024
#define HV_STACK_ALLOC(ptr, size) STACK_OR_HEAP_ALLOC(ptr, size, HV_DEFAULT_STACKBUF_SIZE)
#define HV_STACK_FREE(ptr) STACK_OR_HEAP_FREE(ptr)

HV_INLINE bool hv_strstartswith(const char *str, const char *start) {
    return strncmp(str, start, strlen(start)) == 0;
}

HV_INLINE bool hv_strendswith(const char *str, const char *end) {
    const size_t all = strlen(str), tail = strlen(end);
    return all >= tail && memcmp(str + (all - tail), end, tail) == 0;
}

HV_INLINE bool hv_strcontains(const char *str, const char *sub) { return strstr(str, sub) != NULL; }

/* At most n bytes, the NUL included, which there always is. */
HV_INLINE char *hv_strncpy(char *dest, const char *src, size_t n) {
    if (n > 0) {
        const size_t length = strlen(src) < n ? strlen(src) : n - 1;
        memcpy(dest, src, length);
        dest[length] = '\0';
    }
    return dest;
}

/* So that all of it has n bytes at most, the NUL included. */
HV_INLINE char *hv_strncat(char *dest, const char *src, size_t n) {
    const size_t length = strlen(dest);
    if (length < n) {
        hv_strncpy(dest + length, src, n - length);
    }
    return dest;
}

HV_INLINE const char *hv_basename(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What follows the last dot of the name; empty if there is none. */
HV_INLINE const char *hv_suffixname(const char *name) {
    const char *dot = strrchr(hv_basename(name), '.');
    return dot ? dot + 1 : "";
}

HV_INLINE bool hv_exists(const char *path) { return access(path, 0) == 0; }

HV_INLINE bool hv_isdir(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

HV_INLINE bool hv_isfile(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

HV_INLINE size_t hv_filesize(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 ? (size_t)about.st_size : 0;
}

/* From min to max, both included. Not for secrets. */
HV_INLINE int hv_rand(int min, int max) {
    return min >= max ? min : (int)(min + (int64_t)rand() % ((int64_t)max - min + 1));
}

/* "1", "true", "yes", "y", "on" and "enable", in any case. */
HV_INLINE bool hv_getboolean(const char *str) {
    return str && (strcmp(str, "1") == 0 || strcasecmp(str, "true") == 0 || strcasecmp(str, "yes") == 0 ||
                   strcasecmp(str, "y") == 0 || strcasecmp(str, "on") == 0 || strcasecmp(str, "enable") == 0);
}

#endif /* HV_BASE_H_ */
