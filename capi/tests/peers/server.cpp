// A server that echoes at any path that ends with "echo", and closes as it is asked to elsewhere: `server [CERT KEY]`.
// It says where it listens, how each connection was, and stops when its input ends.
#include "hv/WebSocketServer.h"
#include "hv/hsocket.h"

using namespace hv;

static std::mutex output;

static void say(const std::string &line) {
    std::lock_guard<std::mutex> lock(output);
    std::cout << line << std::endl;
}

/// What a connection did.
struct Talk {
    std::string path;
    int texts, binaries;
    size_t bytes;
    Talk() : texts(0), binaries(0), bytes(0) {}
};

static void answer(const WebSocketChannelPtr &channel, const Talk &talk, const std::string &message) {
    const std::string end = "echo";
    const bool echoes = talk.path.size() >= end.size() && talk.path.substr(talk.path.size() - end.size()) == end;
    if (!echoes) {
        // "4000 why"
        const size_t space = message.find(' ');
        channel->close(atoi(message.c_str()), space == std::string::npos ? "" : message.substr(space + 1));
    } else if (channel->send(message.data(), static_cast<int>(message.size()), channel->opcode) !=
               static_cast<int>(message.size())) {
        say(std::string("not sent: ") + hvloop_last_error());
    }
}

int main(int argc, char **argv) {
    WebSocketService service;
    service.onopen = [](const WebSocketChannelPtr &channel, const HttpRequestPtr &request) {
        channel->newContextPtr<Talk>()->path = request->Path();
    };
    service.onmessage = [](const WebSocketChannelPtr &channel, const std::string &message) {
        const std::shared_ptr<Talk> talk = channel->getContextPtr<Talk>();
        ++(channel->opcode == WS_OPCODE_TEXT ? talk->texts : talk->binaries);
        talk->bytes += message.size();
        answer(channel, *talk, message);
        if (message == "staying") say("stays");
    };
    service.onclose = [](const WebSocketChannelPtr &channel) {
        const std::shared_ptr<Talk> talk = channel->getContextPtr<Talk>();
        say("closed " + talk->path + ": " + std::to_string(talk->texts) + " texts, " + std::to_string(talk->binaries) +
            " binaries, " + std::to_string(talk->bytes) + " bytes");
    };

    WebSocketServer server(&service);
    server.setThreadNum(2);
    const int listener = Listen(0, "127.0.0.1");
    sockaddr_u address;
    socklen_t length = sizeof(address);
    if (listener < 0 || getsockname(listener, &address.sa, &length) != 0) return 1;
    if (argc > 2) {
        hssl_ctx_opt_t options;
        memset(&options, 0, sizeof(options));
        const std::string cert(argv[1]), key(argv[2]);
        options.crt_file = cert.c_str();
        options.key_file = key.c_str();
        if (server.newSslCtx(&options) != 0) return 1;
        server.setListenFD(-1, listener);
    } else {
        server.setListenFD(listener);
    }
    if (server.start() != 0) return 1;
    say("listens " + std::to_string(sockaddr_port(&address)));
    std::string line;
    while (std::getline(std::cin, line)) say("what is " + line + "?");
    server.stop();
    say("stopped");
    return 0;
}
