// A callback member: what may be assigned to it, what it turns into, and what may be done to it during a call.
#include <cassert>
#include <cstdio>
#include <string>

#include "hv/detail/callback.h"

typedef hv::detail::Callback<void(const std::string &)> OnText;

static std::string heard;
static void hear(const std::string &text) { heard += text; }

struct Owner {
    OnText on_text;
    hv::detail::Callback<int(int, int)> add;
    void method(const std::string &text) { heard += "method " + text; }
};

struct Large {
    std::string kept;
    void operator()(const std::string &text) const { heard += kept + text; }
};

int main() {
    Owner owner;
    assert(!owner.on_text && owner.on_text == NULL && owner.on_text == nullptr && nullptr == owner.on_text);
    owner.on_text = hear;
    assert(owner.on_text && owner.on_text != NULL && owner.on_text != nullptr);
    owner.on_text("a");
    owner.on_text = &hear;
    owner.on_text("b");
    owner.on_text = [](const std::string &text) { heard += text + text; };
    owner.on_text("c");
    owner.on_text = std::bind(&Owner::method, &owner, std::placeholders::_1);
    owner.on_text("d");
    owner.on_text = Large{"large "};
    owner.on_text("e");
    const Large constant = {"constant "};
    owner.on_text = constant;
    owner.on_text("f");
    std::function<void(const std::string &)> function = hear;
    owner.on_text = function;
    owner.on_text("g");
    owner.on_text = std::function<void(const std::string &)>();
    assert(owner.on_text == NULL);
    void (*nobody)(const std::string &) = NULL;
    owner.on_text = nobody;
    assert(!owner.on_text);
    std::function<void(const std::string &)> taken = owner.on_text;
    assert(!taken);
    owner.on_text = hear;
    function = owner.on_text;
    function("h");
    std::function<void(const std::string &)> copied(owner.on_text);
    owner.on_text = NULL;
    copied("i");
    const Owner fixed = owner;
    std::function<void(const std::string &)> empty = fixed.on_text;
    assert(!empty && !fixed.on_text);
    printf("%s\n", heard.c_str());

    owner.add = [](int a, int b) { return a + b; };
    printf("%d\n", owner.add(3, 4));
    owner.add = nullptr;
    try {
        owner.add(1, 2);
    } catch (const std::bad_function_call &) {
        printf("nothing to call\n");
    }

    // Replaced, and destroyed, by the call itself: it keeps what it calls.
    std::string big(100, 'x');
    Owner *mortal = new Owner;
    mortal->on_text = [mortal, big](const std::string &text) {
        mortal->on_text = NULL;
        delete mortal;
        printf("%s %d\n", text.c_str(), (int)big.size());
    };
    mortal->on_text("still here");

    OnText one = hear, two;
    one.swap(two);
    assert(!one && two);
    one = two;
    OnText &same = one;
    one = same;
    assert(one && two);
    return 0;
}
