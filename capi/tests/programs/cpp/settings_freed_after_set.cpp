// Settings and texts are copied: they may go, or be something else, as soon as they were set.
#include <memory>

#include "hv/TcpClient.h"
#include "hv/TcpServer.h"
#include "hv/WebSocketClient.h"
#include "hv/WebSocketServer.h"

#include "../latch.h"

using namespace hv;

/// Gives a copy of the setting, which is overwritten and gone afterwards.
template <class Setting, class Set> static void lend(const Setting &setting, Set set) {
    const std::unique_ptr<Setting> lent(new Setting(setting));
    set(lent.get());
    memset(static_cast<void *>(lent.get()), 0x5a, sizeof(Setting));
}

/// The same with a text.
template <class Set> static void lend_text(const std::string &text, Set set) {
    const std::unique_ptr<char[]> lent(new char[text.size() + 1]);
    memcpy(lent.get(), text.c_str(), text.size() + 1);
    set(lent.get());
    memset(lent.get(), 'Z', text.size());
}

static Latch heard, tried, opened;

int main() {
    unpack_setting_t lines;
    lines.mode = UNPACK_BY_DELIMITER;
    lines.package_max_length = 100;
    lines.delimiter_bytes = 2;
    lines.delimiter[0] = '\r';
    lines.delimiter[1] = '\n';
    TcpServer server;
    lend(lines, [&server](unpack_setting_t *lent) { server.setUnpack(lent); });
    lend_text("127.0.0.1", [&server](const char *host) { server.createsocket(0, host); });
    server.onMessage = [](const SocketChannelPtr &channel, Buffer *buf) {
        channel->write("<" + std::to_string(buf->size()) + ">");
    };
    // It listens there once more, at a host that it has to know by itself.
    server.closesocket();
    server.start();

    unpack_setting_t fixed;
    fixed.mode = UNPACK_BY_FIXED_LENGTH;
    fixed.fixed_length = 3;
    TcpClient client;
    lend(fixed, [&client](unpack_setting_t *lent) { client.setUnpack(lent); });
    client.onConnection = [](const SocketChannelPtr &channel) {
        if (channel->isConnected()) channel->write("hello\r\nyou\r\n");
    };
    std::string first, second;
    client.onMessage = [&first, &second](const SocketChannelPtr &, Buffer *buf) {
        (first.empty() ? first : second).assign(static_cast<const char *>(buf->data()), buf->size());
        heard.tell();
    };
    lend_text("127.0.0.1", [&client, &server](const char *host) { client.createsocket(server.port, host); });
    client.start();
    heard.wait(2);
    printf("%s %s\n", first.c_str(), second.c_str());

    // The one with a port where nobody listens tries by the policy: three times.
    reconn_setting_t policy;
    policy.min_delay = 1;
    policy.max_delay = 2;
    policy.max_retry_cnt = 2;
    WebSocketClient nobody;
    lend(policy, [&nobody](reconn_setting_t *lent) { nobody.setReconnect(lent); });
    nobody.onclose = []() { tried.tell(); };
    lend_text("ws://127.0.0.1:1/", [&nobody](const char *url) { nobody.open(url); });
    tried.wait(3);
    printf("tried 3 times\n");

    WebSocketService service;
    std::string path, name;
    service.onopen = [&path, &name](const WebSocketChannelPtr &, const HttpRequestPtr &request) {
        path = request->Path();
        name = request->GetHeader("X-Name");
        opened.tell();
    };
    HttpService http;
    lend_text("/text", [&http](const char *route) {
        http.GET(route, [](const HttpContextPtr &ctx) { return ctx->send("here"); });
    });
    WebSocketServer sockets(&service);
    sockets.registerHttpService(&http);
    const int listener = Listen(0, "127.0.0.1");
    sockaddr_u address;
    socklen_t length = sizeof(address);
    if (listener < 0 || getsockname(listener, &address.sa, &length) != 0) return 1;
    sockets.setListenFD(listener);
    if (sockets.start() != 0) return 1;
    WebSocketClient socket;
    std::unique_ptr<http_headers> headers(new http_headers());
    (*headers)["X-Name"] = "ann";
    const std::string url = "ws://127.0.0.1:" + std::to_string(sockaddr_port(&address)) + "/a/path";
    lend_text(url, [&socket, &headers](const char *lent) { socket.open(lent, *headers); });
    headers.reset();
    opened.wait(1);
    printf("%s %s\n", path.c_str(), name.c_str());
    socket.stop();
    sockets.stop();
    client.stop();
    server.stop();
    return 0;
}
