/* libhv's settings as hvloop's. */
#ifndef HVLOOP_HV_DETAIL_SETTINGS_H
#define HVLOOP_HV_DETAIL_SETTINGS_H

#include "hloop_types.h"

/* 0, or -1: hvloop does not cut that way. */
HV_INLINE int hvloop_unpack_from(const unpack_setting_t *setting, hvloop_unpack *made) {
    memset(made, 0, sizeof(*made));
    made->max_size = setting->package_max_length;
    switch (setting->mode) {
    case UNPACK_BY_FIXED_LENGTH:
        made->mode = HVLOOP_UNPACK_MODE_FIXED_LENGTH;
        made->fixed_length = setting->fixed_length;
        return 0;
    case UNPACK_BY_DELIMITER:
        if (setting->delimiter_bytes > PACKAGE_MAX_DELIMITER_BYTES) {
            return -1;
        }
        made->mode = HVLOOP_UNPACK_MODE_DELIMITER;
        memcpy(made->delimiter, setting->delimiter, setting->delimiter_bytes);
        made->delimiter_size = setting->delimiter_bytes;
        return 0;
    case UNPACK_BY_LENGTH_FIELD:
        made->mode = HVLOOP_UNPACK_MODE_LENGTH_FIELD;
        made->body_offset = setting->body_offset;
        made->length_offset = setting->length_field_offset;
        made->length_size = setting->length_field_bytes;
        made->length_adjustment = setting->length_adjustment;
        switch (setting->length_field_coding) {
        case ENCODE_BY_VARINT:
            made->length_coding = HVLOOP_LENGTH_CODING_VARINT;
            return 0;
        case ENCODE_BY_LITTLE_ENDIAN:
            made->length_coding = HVLOOP_LENGTH_CODING_LITTLE_ENDIAN;
            return 0;
        case ENCODE_BY_BIG_ENDIAN:
            made->length_coding = HVLOOP_LENGTH_CODING_BIG_ENDIAN;
            return 0;
        default:
            return -1;
        }
    default:
        return -1;
    }
}

/* A fixed delay is what it says: nothing of it is left to chance. */
HV_INLINE void hvloop_reconnect_from(const reconn_setting_t *setting, hvloop_reconnect *made) {
    memset(made, 0, sizeof(*made));
    made->min_delay_ms = setting->min_delay ? setting->min_delay : 1;
    made->max_delay_ms = setting->max_delay > made->min_delay_ms ? setting->max_delay : made->min_delay_ms;
    made->delay_policy = setting->delay_policy;
    made->max_retries = setting->max_retry_cnt == INFINITE ? HVLOOP_ENDLESS : setting->max_retry_cnt;
}

/* A client's TLS. NULL: hvloop_last_error says why not. Zero is "not said", and so a server is verified. */
HV_INLINE hvloop_tls_client *hvloop_tls_client_from(const hssl_ctx_opt_t *opt) {
    hvloop_tls_client *const made = hvloop_tls_client_new();
    int error = made ? 0 : -1;
    if (made && opt) {
        int any = opt->verify_peer == HVLOOP_VERIFY_NONE;
#ifdef HVLOOP_LIBHV_TLS_DEFAULTS
        any = any || opt->verify_peer == 0;
#endif
        if (any) {
            error = hvloop_tls_client_dangerous_accept_any(made);
        }
        if (error == 0 && opt->ca_file && *opt->ca_file) {
            error = hvloop_tls_client_add_root_file(made, opt->ca_file);
        }
        if (error == 0 && opt->ca_path && *opt->ca_path) {
            error = hvloop_tls_client_add_root_dir(made, opt->ca_path);
        }
        if (error == 0 && opt->crt_file && *opt->crt_file) {
            error = hvloop_tls_client_client_certificate(made, opt->crt_file, opt->key_file);
        }
    }
    if (error == 0) {
        error = hvloop_tls_client_build(made);
    }
    if (error != 0) {
        hvloop_tls_client_release(made);
        return NULL;
    }
    return made;
}

/* A server's TLS. NULL: hvloop_last_error says why not. */
HV_INLINE hvloop_tls_server *hvloop_tls_server_from(const hssl_ctx_opt_t *opt) {
    hvloop_tls_server *made = NULL;
    if (opt) {
        made = hvloop_tls_server_new(opt->crt_file, opt->key_file);
    }
    if (made && opt->verify_peer > 0 && opt->ca_file && *opt->ca_file &&
        hvloop_tls_server_client_roots(made, opt->ca_file, 1) != 0) {
        hvloop_tls_server_release(made);
        return NULL;
    }
    return made;
}

#endif /* HVLOOP_HV_DETAIL_SETTINGS_H */
