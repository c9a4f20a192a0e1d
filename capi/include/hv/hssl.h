/* Options of TLS, by libhv's names.
 *
 * A client verifies its server unless it is told not to: programs fill these options with zeros, and a zero is
 * "not said". Who must not verify says HVLOOP_VERIFY_NONE, or compiles with HVLOOP_LIBHV_TLS_DEFAULTS, where
 * a client's zero is libhv's again: no verification. */
#ifndef HV_SSL_H_
#define HV_SSL_H_

#include "hplatform.h"

#define HVLOOP_VERIFY_NONE (-1)

typedef void *hssl_ctx_t;
typedef void *hssl_t;

enum {
    HSSL_SERVER = 0,
    HSSL_CLIENT = 1,
};

typedef struct hssl_ctx_opt_s {
    const char *crt_file;
    const char *key_file;
    const char *ca_file;
    const char *ca_path; /* a folder of PEM files */
    short verify_peer;
    short endpoint;
} hssl_ctx_opt_t, hssl_ctx_init_param_t;

HV_INLINE const char *hssl_backend(void) { return "rustls"; }

#define HV_WITH_SSL 1

#endif /* HV_SSL_H_ */
