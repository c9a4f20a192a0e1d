// A server with an HTTP route, a context and a timer for each WebSocket, and a client of a class of its own.
#include "hv/EventLoop.h"
#include "hv/WebSocketClient.h"
#include "hv/WebSocketServer.h"
#include "hv/hsocket.h"

#include "../latch.h"

using namespace hv;

static Latch opened, closed, heard;
static std::mutex mutex;
static std::string last;

class MyClient : public WebSocketClient {
  public:
    explicit MyClient(EventLoopPtr loop = NULL) : WebSocketClient(loop) {}
    ~MyClient() { stop(); }

    int connect(const char *to) {
        onopen = [this]() {
            const HttpResponsePtr &resp = getHttpResponse();
            std::lock_guard<std::mutex> lock(mutex);
            last = std::to_string((int)resp->status_code) + " " + std::to_string((int)resp->body.size());
            opened.tell();
        };
        onmessage = [this](const std::string &msg) {
            std::lock_guard<std::mutex> lock(mutex);
            last = (opcode() == WS_OPCODE_TEXT ? "text " : "bytes ") + msg;
            heard.tell();
        };
        onclose = []() { closed.tell(); };
        setPingInterval(10000);
        reconn_setting_t reconn;
        reconn_setting_init(&reconn);
        reconn.min_delay = 1;
        setReconnect(&reconn);
        http_headers headers;
        headers["Origin"] = "http://example.com/";
        headers["X-Name"] = "ann";
        return open(to, headers);
    }
};

struct Context {
    static std::atomic<int> alive;
    TimerID timer;
    std::string name;
    Context() : timer(INVALID_TIMER_ID) { ++alive; }
    ~Context() { --alive; }
};
std::atomic<int> Context::alive(0);

static std::string now() {
    std::lock_guard<std::mutex> lock(mutex);
    return last;
}

/// What a server says to a request.
static std::string ask(int port, const std::string &request) {
    sockaddr_u address;
    sockaddr_set_ipport(&address, "127.0.0.1", port);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, &address.sa, sizeof(address.sin)) != 0) return "no connection";
    std::string text;
    char bytes[4096];
    ssize_t got = send(fd, request.data(), request.size(), 0);
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0) text.append(bytes, (size_t)got);
    close(fd);
    const size_t body = text.find("\r\n\r\n");
    return text.substr(9, 3) + " " + (body == std::string::npos ? "" : text.substr(body + 4));
}

static std::string get(int port, const std::string &target, const std::string &method = "GET",
                       const std::string &body = "") {
    return ask(port, method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
                         std::to_string(body.size()) + "\r\n\r\n" + body);
}

int main() {
    HttpService http;
    http.GET("/ping", [](const HttpContextPtr &ctx) { return ctx->send("pong"); });
    http.GET("/hello/:name", [](HttpRequest *req, HttpResponse *resp) {
        return resp->String("hello " + req->GetParam("name") + " " + req->GetParam("how", "simply"));
    });
    http.POST("/echo", [](const HttpContextPtr &ctx) { return ctx->sendString(ctx->body()); });
    http.GET("/written", [](const HttpRequestPtr &req, const HttpResponseWriterPtr &writer) {
        writer->WriteStatus(HTTP_STATUS_ACCEPTED);
        writer->WriteBody(req->Method());
        writer->End();
    });
    http.GET("/throws", [](const HttpContextPtr &) -> int { throw std::runtime_error("a handler"); });
    http.GET("/never", [](const HttpRequestPtr &, const HttpResponseWriterPtr &) {});
    http.Any("/any/*", [](const HttpContextPtr &ctx) { return ctx->send(ctx->path(), TEXT_PLAIN); });

    WebSocketService ws;
    ws.onopen = [](const WebSocketChannelPtr &channel, const HttpRequestPtr &req) {
        std::shared_ptr<Context> context = channel->newContextPtr<Context>();
        context->name = req->GetHeader("X-Name") + " at " + req->Path() + " " + req->GetParam("q", "-");
        // Holds the channel, as programs do: the timer goes with the connection.
        context->timer = setInterval(1, [channel](TimerID id) {
            if (channel->isConnected() && channel->isWriteComplete()) {
                channel->send("hello " + channel->getContextPtr<Context>()->name);
                killTimer(id);
            }
        });
    };
    ws.onmessage = [](const WebSocketChannelPtr &channel, const std::string &msg) {
        if (msg == "parts") {
            channel->send(std::string("first "), WS_OPCODE_TEXT, false);
            channel->send(std::string("second"), WS_OPCODE_CONTINUE, true);
        } else if (msg == "bye") {
            channel->close();
        } else if (channel->opcode == WS_OPCODE_BINARY) {
            channel->send(msg.data(), (int)msg.size(), WS_OPCODE_BINARY);
        } else {
            channel->send("re: " + msg);
        }
    };
    ws.onclose = [](const WebSocketChannelPtr &channel) { killTimer(channel->getContextPtr<Context>()->timer); };

    const int listener = Listen(0, "127.0.0.1");
    sockaddr_u address;
    socklen_t length = sizeof(address);
    getsockname(listener, &address.sa, &length);
    const int port = sockaddr_port(&address);
    WebSocketServer server(&ws);
    server.registerHttpService(&http);
    server.setListenFD(listener);
    server.setThreadNum(2);
    std::atomic<int> workers(0);
    server.onWorkerStart = [&workers]() { ++workers; };
    server.onWorkerStop = [&workers]() { --workers; };
    printf("started: %d\n", server.start());

    printf("%s\n", get(port, "/ping").c_str());
    printf("%s\n", get(port, "/hello/ann%20e?how=well+done").c_str());
    printf("%s\n", get(port, "/hello/bob").c_str());
    printf("%s\n", get(port, "/echo", "POST", "a body").c_str());
    printf("%s\n", get(port, "/written").c_str());
    printf("%s\n", get(port, "/any/a/b", "PUT").c_str());
    printf("%s\n", get(port, "/none").c_str());
    printf("%s\n", get(port, "/echo").c_str());
    printf("%s\n", get(port, "/throws").c_str());
    printf("%s\n", get(port, "/never").c_str());
    // Hooks run on their threads, which serve by now.
    printf("workers: %d\n", (int)workers);

    const std::string url = "ws://127.0.0.1:" + std::to_string(port) + "/chat?q=1";
    MyClient client;
    printf("open: %d\n", client.connect(url.c_str()));
    opened.wait(1);
    heard.wait(1);
    printf("%s, connected: %d\n", now().c_str(), client.isConnected());
    printf("sent: %d\n", client.send("hi"));
    heard.wait(2);
    printf("%s\n", now().c_str());
    printf("sent: %d\n", client.send("\xff\x01", 2));
    heard.wait(3);
    printf("bytes: %d\n", now() == "bytes \xff\x01");
    client.send("parts");
    heard.wait(4);
    printf("%s\n", now().c_str());
    // It connects again by its policy.
    client.send("bye");
    closed.wait(1);
    opened.wait(2);
    heard.wait(5);
    printf("reconnected: %s\n", now().c_str());
    client.close();
    closed.wait(2);
    printf("closed: %d, send: %d\n", client.isConnected(), client.send("late"));
    client.connect(url.c_str());
    opened.wait(3);
    // While it is open: closes, and opens anew.
    client.connect(url.c_str());
    closed.wait(3);
    opened.wait(4);
    client.stop();
    closed.wait(4);
    // After a stop: with another loop.
    client.connect(url.c_str());
    opened.wait(5);
    printf("after a stop: %d\n", client.isConnected());
    client.setReconnect(NULL);
    server.stop();
    closed.wait(5);
    printf("contexts: %d, workers: %d\n", (int)Context::alive, (int)workers);
    return 0;
}
