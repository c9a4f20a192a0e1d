"""Requests of Python's own HTTP client, one after another on one connection."""

import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
connection.connect()
sock = connection.sock


def ask(method, path, **kwargs):
    connection.request(method, path, **kwargs)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, answer.status
    assert connection.sock is sock, "another connection"
    return body


assert ask("GET", "/a?b=c") == b"GET /a "
assert ask("POST", "/p", body="text") == b"POST /p text"
large = b"x" * 500_000
assert ask("PUT", "/large", body=large) == b"PUT /large " + large
pieces = (b"p%d," % n for n in range(1000))
expected = b"".join(b"p%d," % n for n in range(1000))
assert ask("POST", "/chunked", body=pieces, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}) == (
    b"POST /chunked " + expected
)
assert ask("DELETE", "/d") == b"DELETE /d "
connection.close()
print("ok")
