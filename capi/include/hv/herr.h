/* Numbers of errors, by libhv's names: those of the system are its own, below 1000. */
#ifndef HV_ERR_H_
#define HV_ERR_H_

#include <errno.h>
#include <string.h>

#include "hexport.h"

enum {
    ERR_OK = 0,
    ERR_UNKNOWN = 1000,
    ERR_NULL_PARAM = 1001,
    ERR_NULL_POINTER = 1002,
    ERR_NULL_DATA = 1003,
    ERR_NULL_HANDLE = 1004,
    ERR_INVALID_PARAM = 1011,
    ERR_INVALID_POINTER = 1012,
    ERR_INVALID_DATA = 1013,
    ERR_INVALID_HANDLE = 1014,
    ERR_INVALID_JSON = 1015,
    ERR_INVALID_FMT = 1017,
    ERR_INVALID_PROTOCOL = 1018,
    ERR_INVALID_PACKAGE = 1019,
    ERR_OUT_OF_RANGE = 1021,
    ERR_OVER_LIMIT = 1022,
    ERR_MISMATCH = 1023,
    ERR_PARSE = 1024,
    ERR_OPEN_FILE = 1030,
    ERR_SSL = 1040,
    ERR_NEW_SSL_CTX = 1041,
    ERR_NEW_SSL = 1042,
    ERR_SSL_HANDSHAKE = 1043,
    ERR_TASK_TIMEOUT = 1100,
    ERR_TASK_QUEUE_FULL = 1101,
    ERR_TASK_QUEUE_EMPTY = 1102,
    ERR_REQUEST = 1400,
    ERR_RESPONSE = 1401,
    ERR_SOCKET = -1011,
    ERR_BIND = -1012,
    ERR_LISTEN = -1013,
    ERR_ACCEPT = -1014,
    ERR_CONNECT = -1015,
    ERR_RECV = -1016,
    ERR_SEND = -1017,
    ERR_RECVFROM = -1018,
    ERR_SENDTO = -1019,
    ERR_DNS_RESOLVE = -1022
};

HV_INLINE const char *hv_strerror(int error) {
    if (error > 0 && error < ERR_UNKNOWN) {
        return strerror(error);
    }
    switch (error) {
    case ERR_OK:
        return "OK";
    case ERR_NULL_PARAM:
    case ERR_NULL_POINTER:
    case ERR_NULL_DATA:
    case ERR_NULL_HANDLE:
        return "a pointer is NULL";
    case ERR_INVALID_PARAM:
    case ERR_INVALID_POINTER:
    case ERR_INVALID_DATA:
    case ERR_INVALID_HANDLE:
    case ERR_INVALID_JSON:
    case ERR_INVALID_FMT:
    case ERR_INVALID_PROTOCOL:
    case ERR_INVALID_PACKAGE:
        return "what was given is not valid";
    case ERR_OUT_OF_RANGE:
    case ERR_OVER_LIMIT:
        return "out of range";
    case ERR_MISMATCH:
        return "no match";
    case ERR_PARSE:
        return "it cannot be parsed";
    case ERR_OPEN_FILE:
        return "the file cannot be opened";
    case ERR_SSL:
    case ERR_NEW_SSL_CTX:
    case ERR_NEW_SSL:
        return "TLS failed";
    case ERR_SSL_HANDSHAKE:
        return "the TLS handshake failed";
    case ERR_TASK_TIMEOUT:
        return "the time was over";
    case ERR_TASK_QUEUE_FULL:
        return "the queue is full";
    case ERR_TASK_QUEUE_EMPTY:
        return "the queue is empty";
    case ERR_REQUEST:
        return "the request failed";
    case ERR_RESPONSE:
        return "the response is an error";
    case ERR_SOCKET:
        return "no socket can be made";
    case ERR_BIND:
        return "the address cannot be bound";
    case ERR_LISTEN:
        return "listening failed";
    case ERR_ACCEPT:
        return "accepting failed";
    case ERR_CONNECT:
        return "connecting failed";
    case ERR_RECV:
    case ERR_RECVFROM:
        return "reading failed";
    case ERR_SEND:
    case ERR_SENDTO:
        return "writing failed";
    case ERR_DNS_RESOLVE:
        return "the name cannot be resolved";
    default:
        return "unknown error";
    }
}

#endif /* HV_ERR_H_ */
