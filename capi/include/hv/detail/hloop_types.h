/* The structs and numbers of hloop.h. */
#ifndef HVLOOP_HV_DETAIL_HLOOP_TYPES_H
#define HVLOOP_HV_DETAIL_HLOOP_TYPES_H

#include "../hdef.h"

#include "../../hvloop.h"
#include "../hssl.h"

/* A loop is hvloop's own handle. */
typedef struct hvloop_loop hloop_t;
typedef struct hevent_s hevent_t;
typedef struct hio_s hio_t;
typedef struct hidle_s hidle_t;
typedef struct htimer_s htimer_t;
typedef struct hevent_s hsignal_t;

typedef void (*hevent_cb)(hevent_t *ev);
typedef void (*hio_cb)(hio_t *io);
typedef void (*hidle_cb)(hidle_t *idle);
typedef void (*htimer_cb)(htimer_t *timer);
typedef void (*hsignal_cb)(hsignal_t *sig);
typedef void (*haccept_cb)(hio_t *io);
typedef void (*hconnect_cb)(hio_t *io);
typedef void (*hread_cb)(hio_t *io, void *buf, int readbytes);
typedef void (*hwrite_cb)(hio_t *io, const void *buf, int writebytes);
typedef void (*hclose_cb)(hio_t *io);
typedef void (*hio_send_heartbeat_fn)(hio_t *io);

typedef enum {
    HLOOP_STATUS_STOP,
    HLOOP_STATUS_RUNNING,
    HLOOP_STATUS_PAUSE,
    HLOOP_STATUS_DESTROY
} hloop_status_e;

typedef enum {
    HEVENT_TYPE_NONE = 0,
    HEVENT_TYPE_IO = 0x00000001,
    HEVENT_TYPE_TIMEOUT = 0x00000010,
    HEVENT_TYPE_PERIOD = 0x00000020,
    HEVENT_TYPE_TIMER = HEVENT_TYPE_TIMEOUT | HEVENT_TYPE_PERIOD,
    HEVENT_TYPE_IDLE = 0x00000100,
    HEVENT_TYPE_SIGNAL = 0x00000200,
    HEVENT_TYPE_CUSTOM = 0x00000400
} hevent_type_e;

#define HLOOP_FLAG_RUN_ONCE 0x00000001
#define HLOOP_FLAG_AUTO_FREE 0x00000002
#define HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS 0x00000004

#define HEVENT_LOWEST_PRIORITY (-5)
#define HEVENT_LOW_PRIORITY (-3)
#define HEVENT_NORMAL_PRIORITY 0
#define HEVENT_HIGH_PRIORITY 3
#define HEVENT_HIGHEST_PRIORITY 5

/* What each of the structs begins with. */
#define HEVENT_FIELDS                                                                              \
    hloop_t *loop;                                                                                 \
    hevent_type_e event_type;                                                                      \
    uint64_t event_id;                                                                             \
    hevent_cb cb;                                                                                  \
    void *userdata;                                                                                \
    void *privdata;                                                                                \
    struct hevent_s *pending_next;                                                                 \
    int priority;                                                                                  \
    unsigned destroy : 1;                                                                          \
    unsigned active : 1;                                                                           \
    unsigned pending : 1;

struct hevent_s {
    HEVENT_FIELDS
};

#define hevent_set_id(ev, id) ((hevent_t *)(ev))->event_id = id
#define hevent_set_cb(ev, callback) ((hevent_t *)(ev))->cb = callback
#define hevent_set_priority(ev, prio) ((hevent_t *)(ev))->priority = prio
#define hevent_set_userdata(ev, data) ((hevent_t *)(ev))->userdata = (void *)data

#define hevent_loop(ev) (((hevent_t *)(ev))->loop)
#define hevent_type(ev) (((hevent_t *)(ev))->event_type)
#define hevent_id(ev) (((hevent_t *)(ev))->event_id)
#define hevent_cb(ev) (((hevent_t *)(ev))->cb)
#define hevent_priority(ev) (((hevent_t *)(ev))->priority)
#define hevent_userdata(ev) (((hevent_t *)(ev))->userdata)

typedef enum {
    HIO_TYPE_UNKNOWN = 0,
    HIO_TYPE_STDIN = 0x00000001,
    HIO_TYPE_STDOUT = 0x00000002,
    HIO_TYPE_STDERR = 0x00000004,
    HIO_TYPE_STDIO = 0x0000000F,
    HIO_TYPE_FILE = 0x00000010,
    HIO_TYPE_PIPE = 0x00000020,
    HIO_TYPE_IP = 0x00000100,
    HIO_TYPE_SOCK_RAW = 0x00000F00,
    HIO_TYPE_UDP = 0x00001000,
    HIO_TYPE_KCP = 0x00002000,
    HIO_TYPE_DTLS = 0x00010000,
    HIO_TYPE_SOCK_DGRAM = 0x000FF000,
    HIO_TYPE_TCP = 0x00100000,
    HIO_TYPE_SSL = 0x01000000,
    HIO_TYPE_TLS = HIO_TYPE_SSL,
    HIO_TYPE_SOCK_STREAM = 0x0FF00000,
    HIO_TYPE_SOCKET = 0x0FFFFF00
} hio_type_e;

typedef enum {
    HIO_SERVER_SIDE = 0,
    HIO_CLIENT_SIDE = 1
} hio_side_e;

#define HV_READ 0x0001
#define HV_WRITE 0x0004
#define HV_RDWR (HV_READ | HV_WRITE)

#define HIO_DEFAULT_CONNECT_TIMEOUT 10000
#define HIO_DEFAULT_CLOSE_TIMEOUT 60000
#define HIO_DEFAULT_KEEPALIVE_TIMEOUT 75000
#define HIO_DEFAULT_HEARTBEAT_INTERVAL 10000

typedef enum {
    UNPACK_MODE_NONE = 0,
    UNPACK_BY_FIXED_LENGTH = 1,
    UNPACK_BY_DELIMITER = 2,
    UNPACK_BY_LENGTH_FIELD = 3
} unpack_mode_e;

typedef enum {
    ENCODE_BY_VARINT = 17,
    ENCODE_BY_LITTLE_ENDIAN = 1234,
    ENCODE_BY_BIG_ENDIAN = 4321,
    ENCODE_BY_ASN1 = 80 /* refused */
} unpack_coding_e;

/* As libhv wrote it once. */
#define ENCODE_BY_LITTEL_ENDIAN ENCODE_BY_LITTLE_ENDIAN

#define DEFAULT_PACKAGE_MAX_LENGTH (1 << 21)
#define PACKAGE_MAX_DELIMITER_BYTES 8

/* How a stream is cut into messages. */
typedef struct unpack_setting_s {
    unpack_mode_e mode;
    unsigned int package_max_length;
    /* UNPACK_BY_FIXED_LENGTH */
    unsigned int fixed_length;
    /* UNPACK_BY_DELIMITER */
    unsigned char delimiter[PACKAGE_MAX_DELIMITER_BYTES];
    unsigned short delimiter_bytes;
    /* UNPACK_BY_LENGTH_FIELD: a message has body_offset + the field's number + length_adjustment bytes */
    unsigned short body_offset;
    unsigned short length_field_offset;
    unsigned short length_field_bytes;
    short length_adjustment;
    unpack_coding_e length_field_coding;
#ifdef __cplusplus
    /* A byte of flags, four of length, and the body. */
    unpack_setting_s()
        : mode(UNPACK_BY_LENGTH_FIELD), package_max_length(DEFAULT_PACKAGE_MAX_LENGTH), fixed_length(0),
          delimiter(), delimiter_bytes(0), body_offset(5), length_field_offset(1), length_field_bytes(4),
          length_adjustment(0), length_field_coding(ENCODE_BY_BIG_ENDIAN) {}
#endif
} unpack_setting_t;

#define DEFAULT_RECONNECT_MIN_DELAY 1000
#define DEFAULT_RECONNECT_MAX_DELAY 60000
#define DEFAULT_RECONNECT_DELAY_POLICY 2
#define DEFAULT_RECONNECT_MAX_RETRY_CNT INFINITE

/* When a client tries again. The policy is 0: always min_delay; 1: min_delay more each time; else: so many times
   as long. */
typedef struct reconn_setting_s {
    uint32_t min_delay; /* milliseconds */
    uint32_t max_delay;
    uint32_t cur_delay;
    uint32_t delay_policy;
    uint32_t max_retry_cnt;
    uint32_t cur_retry_cnt;
#ifdef __cplusplus
    reconn_setting_s()
        : min_delay(DEFAULT_RECONNECT_MIN_DELAY), max_delay(DEFAULT_RECONNECT_MAX_DELAY), cur_delay(0),
          delay_policy(DEFAULT_RECONNECT_DELAY_POLICY), max_retry_cnt(DEFAULT_RECONNECT_MAX_RETRY_CNT),
          cur_retry_cnt(0) {}
#endif
} reconn_setting_t;

HV_INLINE void reconn_setting_init(reconn_setting_t *setting) {
    setting->min_delay = DEFAULT_RECONNECT_MIN_DELAY;
    setting->max_delay = DEFAULT_RECONNECT_MAX_DELAY;
    setting->cur_delay = 0;
    setting->delay_policy = DEFAULT_RECONNECT_DELAY_POLICY;
    setting->max_retry_cnt = DEFAULT_RECONNECT_MAX_RETRY_CNT;
    setting->cur_retry_cnt = 0;
}

HV_INLINE void reconn_setting_reset(reconn_setting_t *setting) {
    setting->cur_delay = 0;
    setting->cur_retry_cnt = 0;
}

/* Counts a retry, and says whether it may be made. */
HV_INLINE bool reconn_setting_can_retry(reconn_setting_t *setting) {
    setting->cur_retry_cnt += 1;
    return setting->max_retry_cnt == INFINITE || setting->cur_retry_cnt <= setting->max_retry_cnt;
}

/* How long to wait before the next retry, which becomes cur_delay. */
HV_INLINE uint32_t reconn_setting_calc_delay(reconn_setting_t *setting) {
    uint64_t delay = setting->min_delay;
    if (setting->delay_policy == 1) {
        delay += setting->cur_delay;
    } else if (setting->delay_policy != 0) {
        const uint64_t grown = (uint64_t)setting->cur_delay * setting->delay_policy;
        delay = grown > delay ? grown : delay;
    }
    setting->cur_delay = delay > setting->max_delay ? setting->max_delay : (uint32_t)delay;
    return setting->cur_delay;
}

typedef enum {
    LB_RoundRobin,
    LB_Random,
    LB_LeastConnections,
    LB_IpHash,
    LB_UrlHash
} load_balance_e;

#endif /* HVLOOP_HV_DETAIL_HLOOP_TYPES_H */
