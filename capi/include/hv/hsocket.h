/* Addresses and sockets, by libhv's names. */
#ifndef HV_SOCKET_H_
#define HV_SOCKET_H_

#include "hdef.h"

#define LOCALHOST "127.0.0.1"
#define ANYADDR "0.0.0.0"
#define SOCKET int
#define INVALID_SOCKET -1

typedef int hsocket_t;

typedef union {
    struct sockaddr sa;
    struct sockaddr_in sin;
    struct sockaddr_in6 sin6;
    struct sockaddr_un sun;
} sockaddr_u;

#define SOCKADDR_STRLEN sizeof(((struct sockaddr_un *)(NULL))->sun_path)
#define SOCKADDR_LEN(addr) sockaddr_len((sockaddr_u *)(addr))
#define SOCKADDR_STR(addr, buf) sockaddr_str((sockaddr_u *)(addr), buf, sizeof(buf))
#define SOCKADDR_PRINT(addr) sockaddr_print((sockaddr_u *)(addr))

HV_INLINE int socket_errno(void) { return errno; }

HV_INLINE const char *socket_strerror(int error) { return strerror(error < 0 ? -error : error); }

HV_INLINE int blocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); }

HV_INLINE int nonblocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

HV_INLINE int closesocket(int fd) { return close(fd); }

#define SAFE_CLOSESOCKET(fd) SAFE_CLOSE(fd)

HV_INLINE bool is_ipv4(const char *host) {
    struct in_addr addr;
    return inet_pton(AF_INET, host, &addr) == 1;
}

HV_INLINE bool is_ipv6(const char *host) {
    struct in6_addr addr;
    return inet_pton(AF_INET6, host, &addr) == 1;
}

HV_INLINE bool is_ipaddr(const char *host) { return is_ipv4(host) || is_ipv6(host); }

/* Waits for the name's address: not for callbacks. 0, or an error of getaddrinfo. */
HV_INLINE int ResolveAddr(const char *host, sockaddr_u *addr) {
    struct addrinfo *found = NULL;
    int error;
    memset(addr, 0, sizeof(*addr));
    if (inet_pton(AF_INET, host, &addr->sin.sin_addr) == 1) {
        addr->sa.sa_family = AF_INET;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &addr->sin6.sin6_addr) == 1) {
        addr->sa.sa_family = AF_INET6;
        return 0;
    }
    error = getaddrinfo(host, NULL, NULL, &found);
    if (error == 0 && found) {
        memcpy(addr, found->ai_addr,
               (size_t)found->ai_addrlen < sizeof(*addr) ? (size_t)found->ai_addrlen : sizeof(*addr));
    }
    if (found) {
        freeaddrinfo(found);
    }
    return error;
}

HV_INLINE const char *sockaddr_ip(sockaddr_u *addr, char *ip, int len) {
    if (len > 0) {
        ip[0] = '\0';
    }
    if (addr->sa.sa_family == AF_INET) {
        return inet_ntop(AF_INET, &addr->sin.sin_addr, ip, (socklen_t)len);
    }
    if (addr->sa.sa_family == AF_INET6) {
        return inet_ntop(AF_INET6, &addr->sin6.sin6_addr, ip, (socklen_t)len);
    }
    return ip;
}

HV_INLINE uint16_t sockaddr_port(sockaddr_u *addr) {
    return addr->sa.sa_family == AF_INET    ? ntohs(addr->sin.sin_port)
           : addr->sa.sa_family == AF_INET6 ? ntohs(addr->sin6.sin6_port)
                                            : (uint16_t)0;
}

/* NULL or an empty text: any address. */
HV_INLINE int sockaddr_set_ip(sockaddr_u *addr, const char *host) {
    if (host == NULL || *host == '\0') {
        addr->sa.sa_family = AF_INET;
        addr->sin.sin_addr.s_addr = htonl(INADDR_ANY);
        return 0;
    }
    return ResolveAddr(host, addr);
}

HV_INLINE void sockaddr_set_port(sockaddr_u *addr, int port) {
    if (addr->sa.sa_family == AF_INET) {
        addr->sin.sin_port = htons((uint16_t)port);
    } else if (addr->sa.sa_family == AF_INET6) {
        addr->sin6.sin6_port = htons((uint16_t)port);
    }
}

/* A negative port: the host is the path of a Unix socket. */
HV_INLINE int sockaddr_set_ipport(sockaddr_u *addr, const char *host, int port) {
    int error;
    memset(addr, 0, sizeof(*addr));
    if (port < 0) {
        if (host == NULL || strlen(host) >= sizeof(addr->sun.sun_path)) {
            return -1;
        }
        addr->sun.sun_family = AF_UNIX;
        memcpy(addr->sun.sun_path, host, strlen(host) + 1);
        return 0;
    }
    error = sockaddr_set_ip(addr, host);
    if (error == 0) {
        sockaddr_set_port(addr, port);
    }
    return error;
}

HV_INLINE socklen_t sockaddr_len(sockaddr_u *addr) {
    return addr->sa.sa_family == AF_INET    ? (socklen_t)sizeof(addr->sin)
           : addr->sa.sa_family == AF_INET6 ? (socklen_t)sizeof(addr->sin6)
                                            : (socklen_t)sizeof(addr->sun);
}

/* "127.0.0.1:80", "[::1]:80", or a path. */
HV_INLINE const char *sockaddr_str(sockaddr_u *addr, char *buf, int len) {
    char ip[INET6_ADDRSTRLEN] = {0};
    if (len <= 0) {
        return buf;
    }
    if (addr->sa.sa_family == AF_INET) {
        snprintf(buf, (size_t)len, "%s:%d", sockaddr_ip(addr, ip, (int)sizeof(ip)), sockaddr_port(addr));
    } else if (addr->sa.sa_family == AF_INET6) {
        snprintf(buf, (size_t)len, "[%s]:%d", sockaddr_ip(addr, ip, (int)sizeof(ip)), sockaddr_port(addr));
    } else if (addr->sa.sa_family == AF_UNIX) {
        snprintf(buf, (size_t)len, "%s", addr->sun.sun_path);
    } else {
        buf[0] = '\0';
    }
    return buf;
}

HV_INLINE void sockaddr_print(sockaddr_u *addr) {
    char text[SOCKADDR_STRLEN] = {0};
    puts(sockaddr_str(addr, text, (int)sizeof(text)));
}

HV_INLINE int hvloop_set_option(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof(value));
}

HV_INLINE int tcp_nodelay(int fd, int on DEFAULT(1)) {
    return hvloop_set_option(fd, IPPROTO_TCP, TCP_NODELAY, on);
}
HV_INLINE int udp_broadcast(int fd, int on DEFAULT(1)) {
    return hvloop_set_option(fd, SOL_SOCKET, SO_BROADCAST, on);
}
HV_INLINE int ip_v6only(int fd, int on DEFAULT(1)) {
    return hvloop_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, on);
}
HV_INLINE int so_reuseaddr(int fd, int on DEFAULT(1)) {
    return hvloop_set_option(fd, SOL_SOCKET, SO_REUSEADDR, on);
}
HV_INLINE int so_reuseport(int fd, int on DEFAULT(1)) {
    return hvloop_set_option(fd, SOL_SOCKET, SO_REUSEPORT, on);
}
HV_INLINE int so_sndbuf(int fd, int size) { return hvloop_set_option(fd, SOL_SOCKET, SO_SNDBUF, size); }
HV_INLINE int so_rcvbuf(int fd, int size) { return hvloop_set_option(fd, SOL_SOCKET, SO_RCVBUF, size); }

/* After `delay` seconds of silence the system asks the peer whether it is still there. */
HV_INLINE int tcp_keepalive(int fd, int on DEFAULT(1), int delay DEFAULT(60)) {
    const int error = hvloop_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, on);
#ifdef TCP_KEEPIDLE
    if (error == 0 && on) {
        return hvloop_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, delay);
    }
#else
    (void)delay;
#endif
    return error;
}

/* A socket of that type, bound; a negative port: to a path. A negative number if it fails. */
HV_INLINE int Bind(int port, const char *host DEFAULT(ANYADDR), int type DEFAULT(SOCK_STREAM)) {
    sockaddr_u addr;
    int fd;
    if (sockaddr_set_ipport(&addr, host, port) != 0) {
        return -1;
    }
    fd = socket(addr.sa.sa_family, type, 0);
    if (fd < 0) {
        return -1;
    }
    so_reuseaddr(fd, 1);
    if (bind(fd, &addr.sa, sockaddr_len(&addr)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

HV_INLINE int Listen(int port, const char *host DEFAULT(ANYADDR)) {
    const int fd = Bind(port, host, SOCK_STREAM);
    if (fd >= 0 && listen(fd, SOMAXCONN) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

#endif /* HV_SOCKET_H_ */
