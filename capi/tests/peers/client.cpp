// A client that does what it is told: `client URL [FILE]`, with the authority to trust. It says what happens. Options of TLS
// are gone as soon as they were set.
#include "hv/WebSocketClient.h"

using namespace hv;

static std::mutex output;

static void say(const std::string &line) {
    std::lock_guard<std::mutex> lock(output);
    std::cout << line << std::endl;
}

/// Bytes of which no part is like another.
static std::string pattern(size_t size) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(static_cast<uint32_t>(i) * 2654435761u >> 13);
    return bytes;
}

static uint32_t sum(const std::string &bytes) {
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < bytes.size(); ++i) sum = (sum ^ static_cast<unsigned char>(bytes[i])) * 16777619u;
    return sum;
}

class Client : public WebSocketClient {
  public:
    explicit Client(const char *server) : server_(server) {}
    ~Client() { stop(); }

    void told(const std::string &command, const std::string &rest) {
        if (command == "open") {
            set_callbacks();
            check(open((server_ + rest).c_str()) == 0);
        } else if (command == "text") {
            check(send(rest) == static_cast<int>(rest.size()));
        } else if (command == "binary") {
            const std::string bytes = pattern(static_cast<size_t>(atoi(rest.c_str())));
            say("sends " + std::to_string(sum(bytes)));
            check(send(bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()));
        } else if (command == "ping") {
            check(channel->sendPing() == 0);
        } else if (command == "close") {
            const size_t space = rest.find(' ');
            check(channel->close(atoi(rest.c_str()), space == std::string::npos ? "" : rest.substr(space + 1)) == 0);
        } else if (command == "stop") {
            stop();
            say("stopped");
        } else {
            say("what is " + command + "?");
        }
    }

  private:
    /// They go with the client's own loop, when that is stopped.
    void set_callbacks() {
        onopen = [this]() { say("open " + std::to_string(static_cast<int>(getHttpResponse()->status_code))); };
        onmessage = [this](const std::string &message) {
            if (opcode() == WS_OPCODE_TEXT) return say("text \"" + message + "\"");
            say("binary " + std::to_string(message.size()) + ", " + std::to_string(sum(message)));
        };
        onclose = []() { say("close"); };
    }

    static void check(bool right) {
        if (!right) say(std::string("no: ") + hvloop_last_error());
    }

    std::string server_;
};

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    Client client(argv[1]);
    if (argc > 2) {
        hssl_ctx_opt_t options;
        memset(&options, 0, sizeof(options));
        const std::string ca(argv[2]);
        options.ca_file = ca.c_str();
        if (client.withTLS(&options) != 0) return 1;
    }
    std::string line;
    while (std::getline(std::cin, line)) {
        const size_t space = line.find(' ');
        client.told(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1));
    }
    return 0;
}
