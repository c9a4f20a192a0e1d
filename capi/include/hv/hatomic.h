/* Numbers and flags that several threads change, by libhv's names. */
#ifndef HV_ATOMIC_H_
#define HV_ATOMIC_H_

#ifdef __cplusplus

#include <atomic>

typedef std::atomic_flag hatomic_flag_t;
typedef std::atomic_long hatomic_t;

#define HATOMIC_FLAG_INIT ATOMIC_FLAG_INIT
#define hatomic_flag_test_and_set(flag) ((flag)->test_and_set())
#define hatomic_flag_clear(flag) ((flag)->clear())
#define hatomic_add(number, n) ((number)->fetch_add(n))
#define hatomic_sub(number, n) ((number)->fetch_sub(n))

#else

#include <stdbool.h>

typedef struct {
    bool set;
} hatomic_flag_t;
typedef volatile long hatomic_t;

/* The compiler's own, as C99 has none. */
#define HATOMIC_FLAG_INIT                                                                          \
    { 0 }
#define hatomic_flag_test_and_set(flag) __atomic_test_and_set(&(flag)->set, __ATOMIC_SEQ_CST)
#define hatomic_flag_clear(flag) __atomic_clear(&(flag)->set, __ATOMIC_SEQ_CST)
#define hatomic_add(number, n) __atomic_fetch_add(number, n, __ATOMIC_SEQ_CST)
#define hatomic_sub(number, n) __atomic_fetch_sub(number, n, __ATOMIC_SEQ_CST)

#endif

#define HATOMIC_VAR_INIT(value) (value)
#define hatomic_inc(number) hatomic_add(number, 1)
#define hatomic_dec(number) hatomic_sub(number, 1)

#endif /* HV_ATOMIC_H_ */
