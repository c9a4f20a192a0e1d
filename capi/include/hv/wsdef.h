/* Numbers of WebSocket, by libhv's names. */
#ifndef HV_WS_DEF_H_
#define HV_WS_DEF_H_

enum ws_session_type {
    WS_CLIENT,
    WS_SERVER
};

enum ws_opcode {
    WS_OPCODE_CONTINUE = 0x0,
    WS_OPCODE_TEXT = 0x1,
    WS_OPCODE_BINARY = 0x2,
    WS_OPCODE_CLOSE = 0x8,
    WS_OPCODE_PING = 0x9,
    WS_OPCODE_PONG = 0xA
};

#endif /* HV_WS_DEF_H_ */
