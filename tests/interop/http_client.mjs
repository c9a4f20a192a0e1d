// Requests of Node's own HTTP client, with bodies of known length and streamed ones.
import assert from "node:assert";

const base = `http://127.0.0.1:${process.argv[2]}`;

async function ask(path, options) {
    const answer = await fetch(base + path, options);
    assert.equal(answer.status, 200);
    return answer.text();
}

for (let round = 0; round < 20; round += 1) {
    assert.equal(await ask("/a"), "GET /a ");
    assert.equal(await ask("/p", { method: "POST", body: "text" }), "POST /p text");
    const stream = new ReadableStream({
        start(controller) {
            for (let n = 0; n < 100; n += 1) {
                controller.enqueue(new TextEncoder().encode(`p${n},`));
            }
            controller.close();
        },
    });
    const streamed = await ask("/s", { method: "POST", body: stream, duplex: "half" });
    assert.ok(streamed.startsWith("POST /s p0,p1,") && streamed.endsWith("p99,"), streamed);
}
const together = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(`/${n}`)));
together.forEach((text, n) => assert.equal(text, `GET /${n} `));
console.log("ok");
