"""python3 -m unittest discover tests/mutants"""

import unittest

from apply import Patch, mutate, unwanted

TEXT = "fn f() {\n    a();\n    b();\n    b();\n}\n"


def bug(name):
    return f'if !crate::mutant::mutant!("{name}") {{ a(); }}\n'


def patch(find, put, file="x.rs"):
    return Patch("t.toml", file, find, put)


class Apply(unittest.TestCase):
    def mutate(self, *patches):
        problems = []
        return mutate(patches, {"x.rs": TEXT}.get, problems), problems

    def test_all_at_once(self):
        first = patch("    a();\n", "    " + bug("one"))
        last = patch("    b();\n}\n", "    b();\n    " + bug("two") + "}\n")
        text, problems = self.mutate(last, first)
        self.assertEqual(problems, [])
        want = "fn f() {\n    " + bug("one") + "    b();\n    b();\n    " + bug("two") + "}\n"
        self.assertEqual(text["x.rs"], want)

    def test_context_may_be_shared(self):
        first = patch("fn f() {\n    a();\n", "fn f() {\n    " + bug("one") + "    a();\n")
        second = patch("    a();\n    b();\n    b();\n", "    a();\n    b();\n    " + bug("two") + "    b();\n")
        text, problems = self.mutate(first, second)
        self.assertEqual(problems, [])
        self.assertEqual(text["x.rs"].count("mutant!"), 2)

    def test_must_be_there_once(self):
        for find, count in [("    b();\n", 2), ("    c();\n", 0)]:
            _, problems = self.mutate(patch(find, bug("one")))
            self.assertEqual(len(problems), 1)
            self.assertIn("t.toml: one: in x.rs", problems[0])
            self.assertIn(f"{count} times", problems[0])

    def test_file_must_be_there(self):
        _, problems = self.mutate(patch("    a();\n", bug("one"), "y.rs"))
        self.assertIn("in y.rs the file is not there", problems[0])

    def test_must_not_touch_the_same(self):
        first = patch("    a();\n", "    " + bug("one"))
        second = patch("fn f() {\n    a();\n", "fn f() {\n    " + bug("two"))
        _, problems = self.mutate(first, second)
        self.assertIn("touches the same text", problems[0])

    def test_must_have_a_bug(self):
        _, problems = self.mutate(patch("    a();\n", "    c();\n"))
        self.assertIn("a patch without a bug", problems[0])

    def test_support(self):
        new = Patch("t.toml", "new.rs", None, "macro\n", support=True)
        line = Patch("t.toml", "x.rs", "fn f() {\n", "mod new;\nfn f() {\n", support=True)
        text, problems = self.mutate(new, line)
        self.assertEqual(problems, [])
        self.assertEqual(text, {"new.rs": "macro\n", "x.rs": "mod new;\n" + TEXT})
        _, problems = self.mutate(Patch("t.toml", "x.rs", None, "", support=True))
        self.assertIn("support: x.rs is there already", problems[0])

    def test_must_be_looked_for(self):
        tables = {"tests/mutants.txt": "one | --test x | y\n"}
        self.assertEqual(unwanted(["one", "on", "two"], tables.get), ["on", "two"])


if __name__ == "__main__":
    unittest.main()
