"""Installed into an empty prefix, weir is found by pkg-config and CMake, and the examples run."""
import os
import subprocess

from harness import BUILD, SOURCE, Case, main


class Installed(Case):
    def setUp(self):
        super().setUp()
        self.prefix = self.path("prefix")
        done = subprocess.run(["cmake", "--install", BUILD, "--prefix", self.prefix],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def find(self, name):
        found = [os.path.join(where, name) for where, _,
                 names in os.walk(self.prefix) if name in names]
        self.assertEqual(len(found), 1, f"{name} below the prefix: {found}")
        return found[0]

    def test_everything_is_in_its_place(self):
        for name in ("weir.h", "stage.h", "prefetch.h", "libweir.so", "libweir.a", "weir.pc",
                     "weir-config.cmake", "weir.1"):
            self.find(name)
        self.assertTrue(self.find("weir.h").endswith("include/weir/weir.h"))
        run = self.run_weir("--version", command=os.path.join(self.prefix, "bin/weir"))
        self.assert_code(run, 0)

    def test_library_exports_nothing_but_its_own_names(self):
        names = subprocess.run(["nm", "-D", "--defined-only", self.find("libweir.so")], check=True,
                               stdout=subprocess.PIPE, text=True).stdout.split("\n")
        exported = [line.split()[-1] for line in names if line.strip()]
        self.assertGreater(len(exported), 20)
        self.assertEqual([name for name in exported if not name.startswith("weir_")], [])

    def test_examples_build_against_it_and_run(self):
        server = self.faults()
        paths = [f"r/s{i}/5000/n{i}" for i in range(5)]
        done = subprocess.run(["sh", os.path.join(SOURCE, "examples/check.sh"), self.prefix,
                               server.base, *paths],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=self.environment({"CMAKE_GENERATOR": "Ninja"}),
                              timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])

    def test_header_is_enough_for_c_and_cpp(self):
        program = '#include <weir/weir.h>\n#include <weir/stage.h>\n#include <weir/prefetch.h>\nint main(void) { return weir_version()[0] == 0; }\n'
        for compiler, name in (("cc", "a.c"), ("c++", "a.cc")):
            source = self.write(name, program)
            libdir = os.path.dirname(self.find("libweir.so"))
            binary = self.path("program-" + compiler)
            done = subprocess.run([compiler, "-Wall", "-Werror", source,
                                   f"-I{self.prefix}/include", f"-L{libdir}",
                                   f"-Wl,-rpath,{libdir}", "-lweir", "-o", binary],
                                   stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertEqual(subprocess.run([binary]).returncode, 0)


class Manual(Case):
    def test_program_in_the_header_compiles(self):
        with open(os.path.join(SOURCE, "include/weir/weir.h")) as text:
            header = text.read()
        lines = header[header.index("1. The shortest program"):header.index("It saves every URL")].splitlines()[1:]
        program = "\n".join(line.lstrip(" *") for line in lines)
        source = self.write("a.c",
                            "#include <weir/weir.h>\nint main(void)\n{\n" + program + "\nreturn 0;\n}\n")
        done = subprocess.run(["cc", "-Wall", "-Werror", "-fsyntax-only",
                               "-I" + os.path.join(SOURCE, "include"),
                               source], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("weir_engine_run", program)

    def test_program_in_the_header_of_the_prefetcher_compiles(self):
        with open(os.path.join(SOURCE, "include/weir/prefetch.h")) as text:
            header = text.read()
        lines = header[header.index("1. The shortest consumer"):
                       header.index("The shards lie in save.dir")].splitlines()[1:]
        program = "\n".join(line.lstrip(" *") for line in lines)
        source = self.write("b.c", "#include <stdio.h>\n#include <weir/prefetch.h>\n"
                            "int main(void)\n{\n" + program + "\nreturn 0;\n}\n")
        done = subprocess.run(["cc", "-Wall", "-Werror", "-fsyntax-only",
                               "-I" + os.path.join(SOURCE, "include"), source],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("weir_prefetch_next", program)


class Scripts(Case):
    def test_shell_scripts_parse(self):
        for name in ("examples/quickstart.sh", "examples/check.sh", "tests/run.sh",
                     "tests/bench/run.sh"):
            subprocess.run(["sh", "-n", os.path.join(SOURCE, name)], check=True)


if __name__ == "__main__":
    main()
